/**
 * Notifications of Amazon SES by way of SNS mail: a JSON object in the text instead of a delivery report (SES developer guide, "Amazon
 * SNS notification contents"; event publishing names the type `eventType`).
 */
import { findAddress } from '#lib/mail/smtp-address.ts'
import type { Sources } from './sources.ts'

export type NotifiedRecipient = {
  readonly address: string
  readonly action: string
  readonly status: string
  readonly diagnostic: string
}

export type Notification = {
  readonly type: 'bounce' | 'complaint' | 'delivery'
  /** Of a complaint: abuse, fraud …, as in ARF. */
  readonly feedback: string
  readonly recipients: readonly NotifiedRecipient[]
  readonly messageId: string
}

const jsonMax = 256 * 1024
const recipientsMax = 1_000

export function readNotification(sources: Sources): Notification | null {
  const { text: notice, returned } = sources.notice()
  if (![notice, returned].some((each) => each.includes('Type"'))) return null
  // Behind the signature's line stand words of SNS for a person.
  const text = (notice + returned).split(/\n-- ?\r?\n/)[0] ?? ''
  const start = text.indexOf('{')
  if (start < 0 || start > 2_000 || !/"(?:notificationType|eventType)"\s*:/.test(text)) return null
  const end = text.lastIndexOf('}')
  // Some servers break lines so long, with an exclamation mark in front of the break.
  const json = text.slice(start, Math.min(end + 1, start + jsonMax)).replace(/!?\r?\n ?/g, '')
  const root = objectOf(parse(json))
  const type = textOf(root['notificationType'] ?? root['eventType']).toLowerCase()
  if (type !== 'bounce' && type !== 'complaint' && type !== 'delivery') return null
  const about = objectOf(root[type])
  const names = { bounce: 'bouncedRecipients', complaint: 'complainedRecipients', delivery: 'recipients' } as const
  const given = about[names[type]]
  const recipients = (Array.isArray(given) ? given : []).slice(0, recipientsMax).map((each: unknown) => {
    const fields = objectOf(each)
    return {
      address: findAddress(textOf(fields['emailAddress'] ?? each)),
      action: textOf(fields['action']),
      status: textOf(fields['status']),
      diagnostic: (textOf(fields['diagnosticCode']) || textOf(about['smtpResponse'])).replace(/^smtp;\s*/i, ''),
    }
  })
  return {
    type,
    feedback: textOf(about['complaintFeedbackType']),
    recipients: recipients.filter(({ address }) => address !== ''),
    messageId: textOf(objectOf(root['mail'])['messageId']),
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}
const objectOf = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null ? { ...value } : {}
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
