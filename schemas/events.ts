/** An event with the fields that its step does not need left at their defaults. */
import type { Event } from './types.ts'

export const event = (
  given: Pick<Event, 'messageId' | 'type' | 'at' | 'service' | 'position'> & Partial<Event>,
): Event => ({
  size: 0,
  clientAddress: '',
  reversePath: '',
  host: '',
  reply: '',
  attempt: 0,
  addedDelayMs: 0,
  legacyMs: 0,
  dueAt: 0,
  state: '',
  recipients: [],
  kind: '',
  variant: '',
  confidence: 0,
  version: '',
  subject: '',
  original: {},
  reporter: '',
  mailbox: '',
  location: null,
  expiresAt: 0,
  detail: '',
  ...given,
})
