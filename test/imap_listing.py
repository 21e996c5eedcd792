"""Lists every mailbox of the facade as a mail program does, by Python's imaplib. Arguments: port, user, password. Prints how many messages."""
import imaplib, sys

m = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
m.login(sys.argv[2], sys.argv[3])
count = 0
for line in m.list()[1]:
    ok, data = m.select(line.decode().split(' "/" ')[1], readonly=True)
    if ok != "OK" or int(data[0]) == 0:
        continue
    for command in (
        lambda: m.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"),
        lambda: m.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM TO)] BODY.PEEK[TEXT]<0.100>)"),
        lambda: m.sort("SUBJECT", "UTF-8", "ALL"),
        lambda: m.thread("REFERENCES", "UTF-8", "ALL"),
    ):
        assert command()[0] == "OK"
    count += int(data[0])
m.logout()
print(count)
