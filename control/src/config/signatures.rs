//! The signature database that a configuration names: opened, believed, and numbered as those before it.

use std::path::Path;
use std::sync::Arc;

use sigdb::Database;

use super::Purpose;
use super::document::Notes;
use super::fault::Place;
use super::schema::Source;
use crate::signatures::key::PublicKey;
use crate::signatures::{self, Floor, Library, OpenError};
use crate::state::StateFolder;

/// The key that names it.
pub const KEY: &str = "application-identification.signatures";

/// Opens it, and says who signed it. Without a database its absence was noted.
pub(super) fn open(
    source: &Source,
    purpose: Purpose,
    library: Option<&mut Library>,
    notes: &mut Notes,
) -> Option<(Arc<Database>, Option<PublicKey>)> {
    let identification = &source.identification;
    let file = identification.signatures.as_ref();
    let place = file.map_or_else(|| notes.whole(KEY), |file| file.place.clone());
    let opened = match file {
        Some(file) => identification.trust.open(&file.value),
        None => Ok((signatures::built_in(), None)),
    };
    let (database, signer) = match opened {
        Ok(opened) => opened,
        Err(why) => {
            refuse(&why, &place, notes);
            return None;
        }
    };
    let floor = match &library {
        Some(library) => Some(library.floor().clone()),
        None => kept_floor(source, purpose, notes),
    };
    let path = file.map_or(Path::new("(built in)"), |file| &file.value);
    if !identification.downgrade
        && let Some(floor) = floor
        && let Err(why) = floor.check(&database, path)
    {
        refuse(&why, &place, notes);
        return None;
    }
    match library {
        None => Some((Arc::new(database), signer)),
        Some(library) => match library.adopt(database) {
            Ok(database) => Some((Arc::new(database), signer)),
            Err(why) => {
                notes.fault(&place, Some(why.to_string()), "fewer applications", "restart the firewall");
                None
            }
        },
    }
}

/// What was in use when the firewall ran last.
fn kept_floor(source: &Source, purpose: Purpose, notes: &mut Notes) -> Option<Floor> {
    let state = source.system.state.as_ref()?;
    if purpose != Purpose::Run {
        return None;
    }
    match StateFolder::new(&state.value).floor() {
        Ok(floor) => floor,
        Err(why) => {
            let expected = "what the firewall wrote there about the signatures in use";
            notes.fault(&state.place, Some(why.to_string()), expected, "remove the file, once you know why");
            None
        }
    }
}

fn refuse(why: &OpenError, place: &Place, notes: &mut Notes) {
    let (expected, advice) = match why {
        OpenError::Unsigned(_) => (
            "a database signed with one of trusted-keys",
            "sign it: 'ostiary sigdb compile --key KEY …'; or take what nobody signed: unsigned = \"allow\"",
        ),
        OpenError::Untrusted { .. } => (
            "a database signed with one of trusted-keys",
            "if you know whose key it is and trust it, add it to trusted-keys",
        ),
        OpenError::Forged { .. } => ("a database as its maker signed it", "copy it again from where it comes from"),
        OpenError::Older { .. } => (
            "a database no older than the one in use",
            "name a newer one; or go back knowingly, for as long as it takes: downgrade = \"allow\"",
        ),
        _ => (
            "a compiled signature database",
            "make one with 'ostiary sigdb compile -o FILE FOLDER', or leave the key out: one is built in",
        ),
    };
    notes.fault(place, Some(why.to_string()), expected, advice);
}
