"""Subscriptions of ncclient against a running firewall: ncclient_events.py HOST PORT USER KEYFILE. Ends with 0 where all of
them did what RFC 5277 and RFC 6470 say; of what is not as it should be, a traceback says which."""
import sys
from datetime import datetime, timezone

from ncclient import manager
from ncclient.operations import RPCError

HOST, PORT, USER, KEY = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
YANG = "urn:ostiary:yang:ostiary"
EVENTS = "urn:ostiary:yang:ostiary-events"
BASE_EVENTS = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"


def connect():
    return manager.connect(
        host=HOST, port=PORT, username=USER, key_filename=KEY, hostkey_verify=False, allow_agent=False,
        look_for_keys=False, timeout=60, device_params={"name": "default"})


def refused(tag, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except RPCError as error:
        assert error.tag == tag, f"{error.tag} ({error.message}) in place of {tag}"
        return
    raise AssertionError(f"{call.__name__}{arguments}{options} was not refused with {tag}")


def config(content):
    return f'<config><firewall xmlns="{YANG}">{content}</firewall></config>'


def events(m):
    """The contents of notifications, as they come."""
    while True:
        notification = m.take_notification(timeout=60)
        assert notification is not None, "no notification came"
        yield notification.notification_ele[1]


def name(element):
    return element.tag.rpartition("}")[2]


def wait(m, wanted, **fields):
    """The next event of that name with these fields."""
    for event in events(m):
        texts = {name(child): child.text for child in event.iter()}
        if name(event) == wanted and all(texts.get(key.replace("_", "-")) == text for key, text in fields.items()):
            return texts
    return None


begin = datetime.now(timezone.utc).isoformat()
m, other = connect(), connect()
for capability in ("notification:1.0", "interleave:1.0"):
    assert f"urn:ietf:params:netconf:capability:{capability}" in set(m.server_capabilities), capability
streams = m.get(("subtree", '<netconf xmlns="urn:ietf:params:xml:ns:netmod:notification"><streams/></netconf>')).data_xml
assert "<replaySupport>true</replaySupport>" in streams, streams

# the stream NETCONF, and requests between its notifications
m.create_subscription()
refused("operation-failed", m.create_subscription)
late = connect()
wait(m, "netconf-session-start", session_id=late.session_id)
late.close_session()
ended = wait(m, "netconf-session-end", session_id=late.session_id)
assert ended["termination-reason"] == "closed", ended
other.edit_config(target="candidate", config=config("<rule><name>all</name><action>permit</action></rule>"))
other.commit()
change = wait(m, "netconf-config-change", session_id=other.session_id)
assert change["target"] == "/ost:firewall/ost:rule[ost:name='all']/ost:action", change
assert change["operation"] == "replace" and change["datastore"] == "running" and change["username"] == USER, change
assert "<action>permit</action>" in m.get_config("running").data_xml

# a confirmed commit without persist goes back with its session, killed or closed
for end in (lambda lost: m.kill_session(lost.session_id), lambda lost: lost.close_session()):
    lost = connect()
    lost.edit_config(target="candidate", config=config("<rule><name>all</name><action>reset</action></rule>"))
    lost.commit(confirmed=True, timeout="600")
    started = wait(m, "netconf-confirmed-commit", session_id=lost.session_id)
    assert (started["confirm-event"], started["timeout"]) == ("start", "600"), started
    wait(m, "netconf-config-change", session_id=lost.session_id, operation="replace")
    assert "<action>reset</action>" in m.get_config("running").data_xml
    end(lost)
    back = wait(m, "netconf-confirmed-commit")
    assert back["confirm-event"] == "cancel", back
    assert "<action>permit</action>" in m.get_config("running").data_xml
    other.discard_changes()

# with persist it outlives its session, and another one confirms it
lost = connect()
lost.edit_config(target="candidate", config=config("<rule><name>all</name><action>reset</action></rule>"))
lost.commit(confirmed=True, timeout="600", persist="a token")
lost.close_session()
refused("invalid-value", other.commit, persist_id="another")
other.commit(persist_id="a token")
assert wait(m, "netconf-confirmed-commit", confirm_event="complete")
assert "<action>reset</action>" in m.get_config("running").data_xml

# a filter takes some events of the trail, each whole
chooser = connect()
chooser.create_subscription(
    filter=("subtree", f'<record xmlns="{EVENTS}"><action>config-lock</action></record>'), stream_name="audit")
for _ in range(3):
    other.lock("candidate")
    other.unlock("candidate")
for _, event in zip(range(3), events(chooser)):
    texts = {name(child): child.text for child in event.iter()}
    assert texts["action"] == "config-lock" and texts["session"] == other.session_id and "seq" in texts, texts

# what was, until now; then it is over, and there may be another
reader = connect()
end = datetime.now(timezone.utc).isoformat()
reader.create_subscription(stream_name="NETCONF", start_time=begin, stop_time=end)
seen = []
for event in events(reader):
    seen.append(name(event))
    if seen[-1] == "notificationComplete":
        break
assert seen.count("replayComplete") == 1 and seen[-2] == "replayComplete", seen
for kind, least in (("netconf-session-start", 5), ("netconf-config-change", 6), ("netconf-confirmed-commit", 6)):
    assert seen.count(kind) >= least, (kind, seen)
reader.create_subscription(stream_name="audit", start_time=begin)
wait(reader, "record", action="subscription-start")

refused("bad-element", other.create_subscription, start_time="2999-01-01T00:00:00Z")
refused("bad-element", other.create_subscription, start_time=end, stop_time=begin)
refused("invalid-value", other.create_subscription, stream_name="none")

# killed: told to who listens, and gone
m.kill_session(chooser.session_id)
assert wait(m, "netconf-session-end", session_id=chooser.session_id)["termination-reason"] == "killed"
for session in (reader, other, m):
    session.close_session()
print("ncclient: all subscriptions")
