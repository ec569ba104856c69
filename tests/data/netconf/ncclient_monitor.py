"""What a read-only user may by NETCONF: ncclient_monitor.py HOST PORT USER KEYFILE SESSION, of which SESSION is another's
number. Ends with 0 where it may listen and look, and is denied all else."""
import sys

from ncclient import manager
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

HOST, PORT, USER, KEY, SESSION = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
YANG = "urn:ostiary:yang:ostiary"
CONFIG = f'<config><firewall xmlns="{YANG}"><rule><name>all</name><action>permit</action></rule></firewall></config>'


def connect():
    return manager.connect(
        host=HOST, port=PORT, username=USER, key_filename=KEY, hostkey_verify=False, allow_agent=False,
        look_for_keys=False, timeout=60, device_params={"name": "default"})


def denied(call, *arguments, **options):
    try:
        call(*arguments, **options)
    except RPCError as error:
        assert error.tag == "access-denied", f"{call.__name__}: {error.tag} ({error.message})"
        return
    raise AssertionError(f"{call.__name__}{arguments}{options} was not denied")


m = connect()
m.create_subscription()
late = connect()
for _ in range(20):
    notification = m.take_notification(timeout=60)
    assert notification is not None, "no notification came"
    if "netconf-session-start" in notification.notification_xml and f">{late.session_id}<" in notification.notification_xml:
        break
else:
    raise AssertionError("the session's start was not told")
assert "<action>deny</action>" in m.get_config("running").data_xml
assert "<port>" in m.get(("subtree", '<state xmlns="urn:ostiary:yang:ostiary-state"><port/></state>')).data_xml
assert "module ostiary" in m.get_schema("ostiary").data

denied(m.edit_config, target="candidate", config=CONFIG)
denied(m.copy_config, "running", "candidate")
denied(m.validate, "candidate")
denied(m.lock, "candidate")
denied(m.unlock, "candidate")
denied(m.commit)
denied(m.commit, confirmed=True)
denied(m.cancel_commit)
denied(m.discard_changes)
denied(m.kill_session, SESSION)
for stream in ("audit", "records"):
    denied(late.create_subscription, stream_name=stream)
denied(late.dispatch, to_ele('<get-syslog-events xmlns="urn:ostiary:yang:ostiary-syslog"/>'))
assert "<action>deny</action>" in m.get_config("running").data_xml
late.close_session()
m.close_session()
print("ncclient: a monitor listens")
