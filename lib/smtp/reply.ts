/** An SMTP reply (RFC 5321 section 4.2) with its enhanced status code (RFC 2034, RFC 3463). */
export type Reply = {
  readonly code: number
  /** Empty: none was given. */
  readonly enhancedStatus: string
  /** Lines joined by a blank, without codes. */
  readonly text: string
}

export const replyLine = (reply: Reply): string =>
  [String(reply.code), reply.enhancedStatus, reply.text].filter((word) => word !== '').join(' ')

const replyTextMax = 1_000

/** Puts the lines of one reply together: `250-first`, `250 last`. */
export function parseReply(lines: readonly string[]): Reply {
  const code = Number(lines[0]?.slice(0, 3) ?? 0)
  const texts = lines.map((line) => line.slice(4))
  const enhancedStatus = /^([245]\.\d{1,3}\.\d{1,3})(?=\s|$)/.exec(texts[0] ?? '')?.[1] ?? ''
  const text = texts
    .map((line) =>
      (enhancedStatus !== '' && line.startsWith(enhancedStatus) ? line.slice(enhancedStatus.length) : line).trim(),
    )
    .join(' ')
    .trim()
  return { code, enhancedStatus, text: text.slice(0, replyTextMax) }
}

export const isPositive = (reply: Reply): boolean => reply.code >= 200 && reply.code < 400
export const isTransient = (reply: Reply): boolean => reply.code >= 400 && reply.code < 500
