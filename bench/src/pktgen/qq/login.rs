//! How a PC QQ account comes online, or fails to, in each generation.

use std::time::Duration;

use super::{Generation, Session};
use crate::pktgen::dice::Dice;
use crate::pktgen::script::{Action, Script};
use crate::pktgen::tea;

impl Session {
    /// A login that succeeds, by password or what the client has kept of it.
    pub fn login(&mut self, script: &mut Script) {
        match self.generation {
            Generation::A => self.authenticate_a(script),
            Generation::B => self.authenticate_b(script),
            Generation::C => self.authenticate_c(script),
        }
        self.wait(Duration::from_millis(40));
        let from = self.now();
        if self.generation == Generation::C {
            self.session_key(script);
        }
        if self.generation == Generation::B {
            let token = script.dice.octets(200);
            self.ask(script, 0x0030, &token, 160);
            self.ask(script, 0x00e9, &[0; 4], 16);
        }
        self.go_online(script);
        if self.answered {
            self.expect(script, Action::Login, "message", from, self.now() + Duration::from_secs(1));
        }
    }

    /// A login that ends with the server's first refusal: authentication is answered and nothing follows. Tried
    /// `times` times.
    pub fn fail(&mut self, script: &mut Script, times: u32) {
        for _ in 0..times {
            match self.generation {
                Generation::A => self.authenticate_a(script),
                Generation::B => self.authenticate_b(script),
                Generation::C => self.authenticate_c(script),
            }
            self.wait(Duration::from_secs(8));
        }
    }

    /// A login by QR code: the account is not known until the other device confirms it.
    pub fn login_by_code(&mut self, script: &mut Script) {
        let account = std::mem::take(&mut self.account);
        self.reach(script, [0; 4]);
        let body = self.login_body(&mut script.dice, 0, 96);
        self.ask_ready(script, 0x0818, &body, 400);
        for _ in 0..5 {
            let body = self.login_body(&mut script.dice, 0, 64);
            self.ask_ready(script, 0x0819, &body, 40);
            self.wait(Duration::from_secs(2));
        }
        self.account = account;
        self.login(script);
    }

    fn authenticate_a(&mut self, script: &mut Script) {
        // In this generation 0x0062 asks for a login token.
        let empty = tea::seal(&[1; 16], &[0], &mut script.dice);
        self.ask_ready(script, 0x0062, &empty, 24);
        let mut body = script.dice.octets(16);
        body.extend(tea::seal(&[2; 16], &[0; 120], &mut script.dice));
        self.ask_ready(script, 0x0022, &body, 140);
    }

    fn authenticate_b(&mut self, script: &mut Script) {
        for (command, octets) in [(0x0091, 24), (0x00ba, 40), (0x00dd, 240), (0x00e5, 160), (0x00e3, 120)] {
            let body = self.login_body(&mut script.dice, octets, 0);
            self.ask_ready(script, command, &body, 120);
        }
    }

    fn authenticate_c(&mut self, script: &mut Script) {
        self.reach(script, [0; 4]);
        // The first server sends the client on; the second request says so.
        self.reach(script, [0x30, 0, 0, 0]);
        let total = [622, 686, 710][script.dice.between(0, 3) as usize];
        let mut body = vec![3, 0, 0, 0, 1, 1, 1];
        body.extend_from_slice(&self.generation.client().1);
        body.extend_from_slice(&[0, 0, 0x66, 0xa2, 0, 0, 0, 0]);
        body.extend_from_slice(&[0, 0x19]);
        body.extend_from_slice(&script.dice.octets(25));
        body.extend_from_slice(&[0, 0, 0, 0x10]);
        body.extend_from_slice(&script.dice.octets(16));
        let rest = total - 11 - body.len() - 1;
        body.extend_from_slice(&script.dice.octets(rest));
        self.ask_ready(script, 0x0836, &body, 700);
    }

    /// 0x0825, which carries its own key in clear.
    fn reach(&mut self, script: &mut Script, redirect: [u8; 4]) {
        let mut body = vec![3, 0, 0, 0, 1, 1, 1];
        body.extend_from_slice(&self.generation.client().1);
        body.extend_from_slice(&redirect);
        let key = std::array::from_fn(|_| script.dice.half() as u8);
        body.extend_from_slice(&key);
        let mut plain = vec![0, 0x18, 0, 0x16, 0, 1];
        plain.extend_from_slice(&self.account.to_be_bytes());
        plain.extend_from_slice(&[0; 70]);
        body.extend_from_slice(&tea::seal(&key, &plain, &mut script.dice));
        self.ask_ready(script, 0x0825, &body, 96);
    }

    fn session_key(&mut self, script: &mut Script) {
        let mut body = vec![2, 0, 0, 0, 1, 1, 1];
        body.extend_from_slice(&self.generation.client().1);
        body.extend_from_slice(&[0, 0x30, 0, 0x3a, 0, 0x38]);
        body.extend_from_slice(&script.dice.octets(0x38));
        body.extend_from_slice(&tea::seal(&[3; 16], &[0; 300], &mut script.dice));
        self.ask_ready(script, 0x0828, &body, 400);
    }

    fn go_online(&mut self, script: &mut Script) {
        let command = if self.generation == Generation::A { 0x000d } else { 0x00ec };
        self.ask(script, command, &[1, 0, 0x0a, 0, 1, 0, 1, 0, 4, 0, 0, 0, 0], 8);
    }

    /// The fixed part of a login packet, a key in clear, and ciphertext of `fixed + more` plain octets.
    fn login_body(&self, dice: &mut Dice, fixed: usize, more: usize) -> Vec<u8> {
        let mut body = vec![3, 0, 0, 0, 1, 1, 1];
        body.extend_from_slice(&self.generation.client().1);
        body.extend_from_slice(&dice.octets(16));
        let plain = dice.octets(fixed + more);
        body.extend_from_slice(&tea::seal(&[4; 16], &plain, dice));
        body
    }

    fn ask_ready(&mut self, script: &mut Script, command: u16, body: &[u8], answer: usize) {
        self.sequence = self.sequence.wrapping_add(1);
        let packet = self.packet(command, self.sequence, Some(self.account), body);
        self.exchange(script, command, &packet, answer);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::pktgen::frames::{Ends, Link, Side};

    fn lengths(generation: Generation) -> Vec<(u16, usize)> {
        let mut script = Script::new(Link::plain(), Dice::new(9));
        let socket = |text: &str| text.parse::<SocketAddr>().unwrap();
        let ends = Ends { client: socket("10.1.0.1:4000"), server: socket("203.0.113.1:8000") };
        let mut session = Session::udp(&mut script, generation, 4_200_000_001, ends, Duration::ZERO);
        session.login(&mut script);
        session.logout(&mut script);
        let (frames, _) = script.in_order();
        let clients = frames.iter().filter(|frame| frame.from == Side::Client);
        clients.map(|frame| (u16::from_be_bytes([frame.bytes[45], frame.bytes[46]]), frame.bytes.len() - 42)).collect()
    }

    /// The residues that the clients' own layouts give.
    #[test]
    fn login_packets_have_the_lengths_of_the_real_ones() {
        for (command, length) in lengths(Generation::C) {
            match command {
                0x0825 => assert_eq!(length % 8, 3),
                0x0836 => assert!([622, 686, 710].contains(&length)),
                0x0828 => assert_eq!(length % 8, 5),
                0x00ec => assert_eq!(length, 47),
                0x0062 => assert_eq!(length, 55),
                other => panic!("unexpected command {other:#06x}"),
            }
        }
    }

    #[test]
    fn each_generation_logs_out_four_times_with_its_own_command() {
        for (generation, command) in [(Generation::A, 1), (Generation::B, 0x62), (Generation::C, 0x62)] {
            let sent = lengths(generation);
            assert_eq!(sent.iter().rev().take_while(|(last, _)| *last == command).count(), 4);
        }
    }
}
