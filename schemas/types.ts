// Made from *.avsc by schemas/generate.ts: do not edit.

/** Where a record stands in mail.raw. */
export type Position = {
  /** Partition of mail.raw. */
  readonly partition: number
  /** Offset in it. */
  readonly offset: number
}

/** One recipient of the envelope (RFC 5321 section 4.1.1.3). */
export type ForwardPath = {
  /** Mailbox without angle brackets. */
  readonly address: string
  /** ESMTP parameters as received, names in upper case: NOTIFY, ORCPT (RFC 3461). */
  readonly parameters: Readonly<Record<string, string>>
}

/** What protected the connection. */
export type Tls = {
  /** For example TLSv1.3. */
  readonly protocol: string
  /** IANA name of the cipher suite. */
  readonly cipher: string
}

/** Who handed the message over. */
export type Client = {
  /** IP address. */
  readonly address: string
  /** TCP port of the client. */
  readonly port: number
  /** Argument of HELO or EHLO. */
  readonly name: string
  /** Null: the connection was not encrypted. */
  readonly tls: Tls | null
}

/** The envelope as received. */
export type Envelope = {
  /** Empty: the null reverse-path. */
  readonly reversePath: string
  /** ESMTP parameters of MAIL as received, names in upper case: BODY, SMTPUTF8, RET, ENVID; an empty value: the parameter had none. */
  readonly parameters: Readonly<Record<string, string>>
  /** In the order received. */
  readonly forwardPaths: readonly ForwardPath[]
  /** The SMTP client. */
  readonly client: Client
}

/** What the message says of one recipient. */
export type VerdictRecipient = {
  /** Final recipient, or the best that the message names. */
  readonly address: string
  /** Original recipient, if named. */
  readonly originalAddress: string
  /** failed, delayed, delivered, relayed, expanded (RFC 3464 section 2.3.3); empty: not said. */
  readonly action: string
  /** Enhanced status code (RFC 3463), empty: not said. */
  readonly status: string
  /** SMTP reply code, empty: not said. */
  readonly reply: string
  /** In the vocabulary of Sisimai. */
  readonly reason: string
  /** True: trying the same address again will not help. */
  readonly permanent: boolean
  /** Host that refused, if named. */
  readonly remoteMta: string
  /** Diagnostic text, at most 1,000 characters. */
  readonly diagnostic: string
}

/** What decided, by byte range of the message. */
export type Evidence = {
  /** What it decided: kind, recipient, status, reason, action. */
  readonly decided: string
  /** Name of the rule. */
  readonly rule: string
  /** First byte. */
  readonly start: number
  /** Behind the last byte. */
  readonly end: number
  /** The text there, at most 200 characters. */
  readonly text: string
}

/** What a message means. */
export type Verdict = {
  /** bounce, auto-reply, opt-out, complaint, report, reply, unknown. */
  readonly kind: string
  /** Within the kind: hard, soft, delayed, delivered, relayed; out-of-office, ticket, challenge, moved; abuse, dmarc, tls-rpt, mdn …. */
  readonly variant: string
  /** 0 to 1. */
  readonly confidence: number
  /** Version of the classifier. */
  readonly version: string
  /** Per recipient; empty where the message names none. */
  readonly recipients: readonly VerdictRecipient[]
  /** What decided. */
  readonly evidence: readonly Evidence[]
  /** Of the returned message: messageId, subject, from, to, listId, feedbackId, campaign. */
  readonly original: Readonly<Record<string, string>>
  /** Mail system or host that wrote the message, if known. */
  readonly reporter: string
}

/** A message that is kept in the object store instead of in the record. */
export type Claim = {
  /** Object key under claims/. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the bytes, 32 bytes. */
  readonly sha256: Buffer
}

/** One message with its verdict. Records of a partition carry rising positions, but for repeats. */
export type Classified = {
  /** Message id. */
  readonly id: string
  /** Of the message in mail.raw. */
  readonly position: Position
  /** Epoch milliseconds. */
  readonly receivedAt: number
  /** As received. */
  readonly envelope: Envelope
  /** Bytes of the message. */
  readonly size: number
  /** SHA-256 of the bytes, 32 bytes. */
  readonly sha256: Buffer
  /** What it means. */
  readonly verdict: Verdict
  /** The message, exactly as received; null: see claim. */
  readonly bytes: Buffer | null
  /** Where the message is when it is large. */
  readonly claim: Claim | null
}

/** What could not be delivered or read. */
export type Dead = {
  /** Message id; empty: the record could not be read. */
  readonly id: string
  /** Of the record in topic; for a message, of the message in mail.raw. */
  readonly position: Position
  /** Topic that it was read from. */
  readonly topic: string
  /** Who gave up. */
  readonly service: string
  /** Epoch milliseconds. */
  readonly at: number
  /** rejected, expired, undecodable, claim-missing. */
  readonly reason: string
  /** SMTP reply or error, at most 500 characters. */
  readonly reply: string
  /** Attempts made. */
  readonly attempts: number
  /** Null: not known. */
  readonly envelope: Envelope | null
  /** Indexes into envelope.forwardPaths of the recipients refused. */
  readonly open: readonly number[]
  /** Epoch milliseconds; 0: not known. */
  readonly receivedAt: number
  /** The message; or, where it could not be read, the record as it was. */
  readonly bytes: Buffer | null
  /** Where the message is when it is large. */
  readonly claim: Claim | null
}

/** Outcome or verdict for one recipient. */
export type EventRecipient = {
  /** Recipient. */
  readonly address: string
  /** Enhanced status code. */
  readonly status: string
  /** Reason of a verdict. */
  readonly reason: string
  /** Of a verdict. */
  readonly permanent: boolean
  /** SMTP reply, at most 500 characters. */
  readonly reply: string
}

/** Where a stored copy is. */
export type Location = {
  /** Key of the segment. */
  readonly object: string
  /** First byte of its block in the segment. */
  readonly blockOffset: number
  /** Bytes of the block. */
  readonly blockLength: number
  /** Number of the record in the block, from 0. */
  readonly recordIndex: number
}

/** One step of the life of one message. */
export type Event = {
  /** Message id. */
  readonly messageId: string
  /** accepted, forwarded, deferred, rejected, classified, routed, stored, expired, held, erased, undecodable, redriven. */
  readonly type: string
  /** Epoch milliseconds. */
  readonly at: number
  /** Who says so. */
  readonly service: string
  /** Of the message in mail.raw. */
  readonly position: Position
  /** accepted: bytes. */
  readonly size: number
  /** accepted: IP address. */
  readonly clientAddress: string
  /** accepted: empty is the null reverse-path. */
  readonly reversePath: string
  /** forwarded, deferred, rejected: legacy host. */
  readonly host: string
  /** forwarded, deferred, rejected: the reply that decided, at most 500 characters. */
  readonly reply: string
  /** forwarded, deferred, rejected: from 1. */
  readonly attempt: number
  /** forwarded: from accepted to the 250 of the legacy host. */
  readonly addedDelayMs: number
  /** forwarded, deferred, rejected: of that, from the first command to the last reply of the legacy host. */
  readonly legacyMs: number
  /** deferred: next attempt, epoch milliseconds. */
  readonly dueAt: number
  /** forwarded, deferred, rejected, redriven: state of the whole message after this step: forwarded, waiting, dead. */
  readonly state: string
  /** accepted: forward-paths; forwarded, deferred, rejected: those concerned; classified: those of the verdict. */
  readonly recipients: readonly EventRecipient[]
  /** classified. */
  readonly kind: string
  /** classified. */
  readonly variant: string
  /** classified. */
  readonly confidence: number
  /** classified: of the classifier. */
  readonly version: string
  /** classified: decoded, at most 200 characters. */
  readonly subject: string
  /** classified: identifiers of the returned message. */
  readonly original: Readonly<Record<string, string>>
  /** classified: mail system that wrote the message. */
  readonly reporter: string
  /** stored. */
  readonly mailbox: string
  /** stored. */
  readonly location: Location | null
  /** stored: epoch milliseconds. */
  readonly expiresAt: number
  /** A sentence for a person. */
  readonly detail: string
}

/** One fact about folders that people make; they do not expire. A tombstone of a folder's or a message's key ends it. */
export type Folder = {
  /** folder: its name, with / between levels; otherwise empty. */
  readonly mailbox: string
  /** epoch: the UIDVALIDITY of mail.index; folder: there is one, of this name; message: a message in one, with all that is known of it. */
  readonly type: string
  /** Epoch milliseconds. */
  readonly at: number
  /** epoch: 1 to 4294967295. */
  readonly value: number
  /** folder, message: id of the folder, which a rename does not change. */
  readonly folder: string
  /** folder: whether mail programs show it. */
  readonly subscribed: boolean
  /** message: id of this copy of the message. */
  readonly copy: string
  /** message: id of the message; of one that a mail program brought, that of the copy. */
  readonly messageId: string
  /** message: its UID; 0: that of this record, which is its offset + 1. */
  readonly uid: number
  /** message: all flags and keywords that it has. */
  readonly flags: readonly string[]
  /** message: bytes. */
  readonly size: number
  /** message: internal date, epoch milliseconds. */
  readonly receivedAt: number
  /** message: of its bytes. */
  readonly sha256: Buffer | null
  /** message. */
  readonly location: Location | null
  /** message: as in mail.index. */
  readonly header: Buffer
  /** message: as in mail.index. */
  readonly structure: string
  /** message: as in mail.index. */
  readonly envelope: string
  /** message: as in mail.index. */
  readonly preview: string
}

/** One change to one mailbox. */
export type Index = {
  /** Name, with / between levels. */
  readonly mailbox: string
  /** Message id. */
  readonly messageId: string
  /** added, flags, expunged; moved: its copy stands at another location. */
  readonly type: string
  /** Epoch milliseconds. */
  readonly at: number
  /** added, flags: all flags and keywords that it has from now on. */
  readonly flags: readonly string[]
  /** added: bytes of the message. */
  readonly size: number
  /** added: internal date, epoch milliseconds. */
  readonly receivedAt: number
  /** added: of the message. */
  readonly sha256: Buffer | null
  /** added, moved. */
  readonly location: Location | null
  /** added: when the store may drop it, epoch milliseconds. */
  readonly expiresAt: number
  /** added: the header fields that ENVELOPE is made of, as they stand in the message, at most 8 KiB. */
  readonly header: Buffer
  /** added: BODYSTRUCTURE (RFC 9051 section 7.5.2); empty: too large, read the message. */
  readonly structure: string
  /** added: ENVELOPE (RFC 9051 section 7.5.2); empty: too large, or an older release wrote it: made from the header. */
  readonly envelope: string
  /** added: the first words of the text (RFC 8970), at most 200 characters; empty: there are none. */
  readonly preview: string
}

/** One accepted message: envelope and exact bytes. */
export type Raw = {
  /** Message id, UUIDv7. */
  readonly id: string
  /** Epoch milliseconds at the end of DATA. */
  readonly receivedAt: number
  /** As received. */
  readonly envelope: Envelope
  /** Bytes of the message. */
  readonly size: number
  /** SHA-256 of the bytes, 32 bytes. */
  readonly sha256: Buffer
  /** The message, exactly as received; null: see claim. */
  readonly bytes: Buffer | null
  /** Where the message is when it is large. */
  readonly claim: Claim | null
}

/** One message read again by the present classifier. */
export type Replay = {
  /** Message id. */
  readonly id: string
  /** Of the message in mail.raw. */
  readonly position: Position
  /** True: the verdict differs from the one known before. */
  readonly changed: boolean
  /** Summary of the verdict known before; empty: none known. */
  readonly before: string
  /** Summary of the new verdict. */
  readonly after: string
  /** The new verdict. */
  readonly verdict: Verdict
}

/** A message that the legacy system deferred; a tombstone once it is settled. */
export type Retry = {
  /** Message id. */
  readonly id: string
  /** Of the message in mail.raw. */
  readonly position: Position
  /** Epoch milliseconds. */
  readonly receivedAt: number
  /** As received; all recipients. */
  readonly envelope: Envelope
  /** Indexes into envelope.forwardPaths of the recipients still open. */
  readonly open: readonly number[]
  /** True: another recipient was refused for good. */
  readonly anyDead: boolean
  /** Attempts made. */
  readonly attempts: number
  /** Next attempt, epoch milliseconds. */
  readonly dueAt: number
  /** Last reply. */
  readonly reply: string
  /** Bytes. */
  readonly size: number
  /** SHA-256 of the bytes, 32 bytes. */
  readonly sha256: Buffer
  /** The message, exactly as received; null: see claim. */
  readonly bytes: Buffer | null
  /** Where the message is when it is large. */
  readonly claim: Claim | null
}

/** One stored message in a segment of the archive. */
export type Segment = {
  /** Message id. */
  readonly id: string
  /** Of the message in mail.raw. */
  readonly position: Position
  /** Offset of its record in the same partition of mail.classified. */
  readonly source: number
  /** Epoch milliseconds. */
  readonly receivedAt: number
  /** As received. */
  readonly envelope: Envelope
  /** What it means. */
  readonly verdict: Verdict
  /** Mailbox that shows it. */
  readonly mailbox: string
  /** Bytes of the message. */
  readonly size: number
  /** SHA-256 of the bytes, 32 bytes. */
  readonly sha256: Buffer
  /** The message, exactly as received; null: see claim. */
  readonly bytes: Buffer | null
  /** Where the message is when it is large. */
  readonly claim: Claim | null
}

/** What is known of one address. */
export type Suppression = {
  /** Lower case. */
  readonly address: string
  /** suppressed, watched, lifted. */
  readonly state: string
  /** hard-bounce, soft-bounces, complaint, opt-out, person. */
  readonly cause: string
  /** Epoch milliseconds. */
  readonly since: number
  /** Epoch milliseconds; 0: no end. */
  readonly until: number
  /** Messages that support it. */
  readonly count: number
  /** Ids of those messages, newest first, at most 20. */
  readonly evidence: readonly string[]
  /** A sentence for a person. */
  readonly note: string
}
