"""Python's imaplib against the facade. Arguments: port, TLS port, user, password. Prints JSON that the test compares."""
import email, hashlib, imaplib, json, ssl, sys

port, tls_port, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

plain = imaplib.IMAP4("127.0.0.1", port)
plain.starttls(context)
plain.login(user, password)
try:
    imaplib.IMAP4("127.0.0.1", port).login(user, "wrong")
    refused = False
except imaplib.IMAP4.error:
    refused = True

m = imaplib.IMAP4_SSL("127.0.0.1", tls_port, ssl_context=context)
m.login(user, password)
boxes = []
for line in m.list()[1]:
    flags, name = line.decode().split(' "/" ')
    if "Noselect" not in flags:
        boxes.append(name.strip('"'))
hashes, checks = [], []
for box in boxes:
    ok, data = m.select(f'"{box}"')
    count = int(data[0])
    if count == 0:
        continue
    uids = m.uid("search", None, "ALL")[1][0].split()
    assert len(uids) == count, box
    for uid in uids:
        parts = m.uid("fetch", uid, "(BODY.PEEK[])")[1]
        whole = parts[0][1]
        hashes.append(hashlib.sha256(whole).hexdigest())
        size = len(whole)
        answer = m.uid("fetch", uid, "(RFC822.SIZE BODY.PEEK[HEADER] BODY.PEEK[TEXT])")[1]
        assert f"RFC822.SIZE {size}".encode() in answer[0][0], answer[0][0]
        assert answer[0][1] + answer[1][1] == whole, (box, uid)
        part = m.uid("fetch", uid, "(BODY.PEEK[]<10.40>)")[1]
        if size > 10:
            assert part[0][1] == whole[10:50], (box, uid)
    # Flags are kept, and shown to another session.
    first = uids[0].decode()
    m.uid("store", first, "+FLAGS", "(\\Flagged seen-by-test)")
    plain.select(f'"{box}"')
    flags = imaplib.ParseFlags(plain.uid("fetch", first, "(FLAGS)")[1][0])
    assert b"\\Flagged" in flags and b"seen-by-test" in flags, flags
    assert plain.uid("search", None, "FLAGGED")[1][0].split() == [first.encode()]
    assert plain.uid("search", None, "KEYWORD", "seen-by-test")[1][0].split() == [first.encode()]
    m.uid("store", first, "-FLAGS", "(\\Flagged seen-by-test)")
    plain.noop()
    assert b"\\Flagged" not in imaplib.ParseFlags(plain.uid("fetch", first, "(FLAGS)")[1][0])
    # What SEARCH finds is what reading everything finds.
    subject = email.message_from_bytes(whole)["Subject"] or ""
    if subject.startswith("test"):
        found = m.uid("search", None, "SUBJECT", f'"{subject}"')[1][0].split()
        assert uids[-1] in found, (box, subject)
    checks.append(box)
    m.close()
status = m.status(f'"{checks[0]}"', "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")[0]
m.logout()
print(json.dumps({"hashes": sorted(hashes), "boxes": len(checks), "refused": refused, "status": status}))
