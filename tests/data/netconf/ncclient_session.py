"""Every operation of ncclient against a running firewall: ncclient_session.py HOST PORT USER KEYFILE. Ends with 0 where all
of them did what RFC 6241 says; of what is not as it should be, a traceback says which."""
import sys

from ncclient import manager
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

HOST, PORT, USER, KEY = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
YANG = "urn:ostiary:yang:ostiary"


def connect():
    return manager.connect(
        host=HOST, port=PORT, username=USER, key_filename=KEY, hostkey_verify=False, allow_agent=False,
        look_for_keys=False, timeout=60, device_params={"name": "default"})


def refused(tag, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except RPCError as error:
        assert error.tag == tag, f"{call.__name__}: {error.tag} ({error.message}) in place of {tag}"
        return error
    raise AssertionError(f"{call.__name__}{arguments}{options} was not refused with {tag}")


def config(content):
    return (f'<config xmlns:xc="urn:ietf:params:xml:ns:netconf:base:1.0"><firewall xmlns="{YANG}">{content}</firewall>'
            "</config>")


def rules(m, source):
    reply = m.get_config(source, filter=("subtree", f'<firewall xmlns="{YANG}"><rule><name/></rule></firewall>'))
    return [name.text for name in reply.data_ele.iter(f"{{{YANG}}}name")]


m, other = connect(), connect()
have = set(m.server_capabilities)
for name in ("candidate:1.0", "confirmed-commit:1.1", "validate:1.1", "rollback-on-error:1.0"):
    assert f"urn:ietf:params:netconf:capability:{name}" in have, name
assert m.session_id != other.session_id

# get, get-config, get-schema
state = m.get(("subtree", '<state xmlns="urn:ostiary:yang:ostiary-state"><port/></state>')).data_xml
assert "<name>inside</name>" in state, state
before = rules(m, "running")
assert before == ["staff", "all"], before
assert "module ostiary" in m.get_schema("ostiary").data
refused("operation-not-supported", m.get_config, "startup")

# lock, and what others are told of it
with m.locked("candidate"):
    error = refused("lock-denied", other.lock, "candidate")
    assert "<session-id>" in str(error.info), error.info
    refused("lock-denied", other.edit_config, target="candidate", config=config("<rule><name>x</name><action>deny</action></rule>"))
    # edit-config: merge, create, replace, delete, remove
    m.edit_config(target="candidate", config=config("<rule><name>guests</name><action>deny</action></rule>"))
    assert rules(m, "candidate") == ["staff", "all", "guests"]
    assert rules(m, "running") == before
    create = config('<rule xc:operation="create"><name>guests</name><action>deny</action></rule>')
    refused("data-exists", m.edit_config, target="candidate", config=create)
    m.edit_config(target="candidate", config=config('<rule xc:operation="replace"><name>guests</name><action>reset</action></rule>'))
    m.edit_config(target="candidate", config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
    refused("data-missing", m.edit_config, target="candidate",
            config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
    m.edit_config(target="candidate", config=config('<rule xc:operation="remove"><name>guests</name></rule>'))
    assert rules(m, "candidate") == before
    # in its place, and with values of a list one by one
    m.edit_config(target="candidate", config=config(
        '<rule xmlns:y="urn:ietf:params:xml:ns:yang:1" y:insert="before" y:key="[name=\'all\']"><name>guests</name>'
        "<source>10.9.0.0/16</source><source>10.8.0.0/16</source><action>deny</action></rule>"))
    assert rules(m, "candidate") == ["staff", "guests", "all"]
    m.edit_config(target="candidate", config=config(
        '<rule><name>guests</name><source xc:operation="delete">10.8.0.0/16</source></rule>'), default_operation="none")
    text = m.get_config("candidate").data_xml
    assert "10.9.0.0/16" in text and "10.8.0.0/16" not in text, text
    # of several edits, one fails: none is left
    refused("data-missing", m.edit_config, target="candidate", error_option="rollback-on-error", config=config(
        '<rule><name>z</name><action>deny</action></rule><rule xc:operation="delete"><name>none</name></rule>'))
    assert "z" not in rules(m, "candidate")
    refused("unknown-element", m.edit_config, target="candidate", config=config("<rulez/>"))
    refused("invalid-value", m.edit_config, target="candidate",
            config=config("<rule><name>a</name><action>drop</action></rule>"))
    refused("operation-not-supported", m.edit_config, target="running", config=config("<rule><name>a</name></rule>"))
    # validate
    m.validate("candidate")
    m.edit_config(target="candidate", config=config("<rule><name>guests</name><from>nowhere</from></rule>"))
    refused("invalid-value", m.validate, "candidate")
    refused("invalid-value", m.commit)
    m.edit_config(target="candidate", config=config('<rule><name>guests</name><from xc:operation="delete">nowhere</from></rule>'))
    m.validate("candidate")
    # commit
    m.commit()
    assert rules(m, "running") == ["staff", "guests", "all"]

# discard-changes, copy-config
m.edit_config(target="candidate", config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
m.discard_changes()
assert rules(m, "candidate") == ["staff", "guests", "all"]
m.edit_config(target="candidate", config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
m.copy_config("running", "candidate")
assert rules(m, "candidate") == ["staff", "guests", "all"]
m.discard_changes()
refused("operation-not-supported", m.copy_config, "candidate", "running")
refused("operation-not-supported", m.delete_config, "running")

# a commit that is taken back, and one that is confirmed
m.edit_config(target="candidate", config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
m.commit(confirmed=True, timeout="60")
assert rules(m, "running") == ["staff", "all"]
m.cancel_commit()
assert rules(m, "running") == ["staff", "guests", "all"]
m.discard_changes()
m.edit_config(target="candidate", config=config('<rule xc:operation="delete"><name>guests</name></rule>'))
m.commit(confirmed=True, timeout="60")
m.commit()
assert rules(m, "running") == ["staff", "all"]

# running is locked for those who want that, and unlocked with the session
m.lock("running")
refused("lock-denied", other.lock, "running")
m.unlock("running")

# what is no operation
refused("operation-not-supported", m.dispatch, to_ele("<partial-lock/>"))

if "--kill" in sys.argv:
    refused("invalid-value", m.kill_session, m.session_id)
    refused("invalid-value", m.kill_session, "99999")
    m.kill_session(other.session_id)
    try:
        other.get_config("running")
        raise AssertionError("a killed session answers")
    except AssertionError:
        raise
    except Exception:
        pass
else:
    other.close_session()
m.close_session()
print("ncclient: all operations")
