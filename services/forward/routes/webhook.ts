/**
 * Verdicts as CloudEvents 1.0 by POST: structured mode, one event, or the batch format (CloudEvents HTTP binding, JSON format).
 * Signed as in Standard Webhooks 1: HMAC-SHA-256 of `id.timestamp.body`. A redirect is not followed.
 */
import { createHmac } from 'node:crypto'
import { describeError } from '#lib/runtime/errors.ts'
import type { Classified } from '#schemas/types.ts'
import type { WebhookTarget } from './rules.ts'
import type { Delivery, Target } from './target.ts'

const answerMs = 15_000
const replyMax = 200

/** What a receiver gets of one message. */
export const cloudEvent = ({ id, receivedAt, envelope, size, sha256, verdict }: Classified) => ({
  specversion: '1.0',
  id,
  source: '/mailweir',
  type: `mailweir.mail.${verdict.kind}`,
  time: new Date(receivedAt).toISOString(),
  ...(verdict.recipients[0] === undefined ? {} : { subject: verdict.recipients[0].address || id }),
  datacontenttype: 'application/json',
  data: {
    size,
    sha256: sha256.toString('hex'),
    reversePath: envelope.reversePath,
    forwardPaths: envelope.forwardPaths.map(({ address }) => address),
    client: envelope.client.address,
    verdict,
  },
})

/** The headers of a signature. @param now epoch milliseconds */
export function signatureHeaders(id: string, body: string, secret: string, now: number): Record<string, string> {
  const timestamp = String(Math.floor(now / 1000))
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

type Pending = { readonly message: Classified; settle(delivery: Delivery): void }

export class WebhookDelivery implements Target {
  readonly #target: WebhookTarget
  readonly #now: () => number
  readonly #stopping = new AbortController()
  #pending: Pending[] = []
  #isDraining = false
  #timer: NodeJS.Timeout | undefined

  constructor(target: WebhookTarget, now: () => number) {
    this.#target = target
    this.#now = now
  }

  deliver(message: Classified): Promise<Delivery> {
    const { batch } = this.#target
    if (batch === null) return this.#post(message.id, JSON.stringify(cloudEvent(message)), '')
    return new Promise((settle) => {
      this.#pending.push({ message, settle })
      if (this.#pending.length >= batch.count || this.#isDraining) void this.#flush()
      else this.#timer ??= setTimeout(() => void this.#flush(), batch.ms)
    })
  }

  async #flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const pending = this.#pending.splice(0)
    const [first] = pending
    if (first === undefined) return
    const delivery = await this.#post(
      first.message.id,
      JSON.stringify(pending.map((each) => cloudEvent(each.message))),
      '-batch',
    )
    for (const { settle } of pending) settle(delivery)
  }

  async #post(id: string, body: string, form: string): Promise<Delivery> {
    const { url, secret } = this.#target
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'manual',
        headers: {
          'content-type': `application/cloudevents${form}+json; charset=utf-8`,
          ...(secret === '' ? {} : signatureHeaders(id, body, secret, this.#now())),
        },
        body,
        signal: AbortSignal.any([AbortSignal.timeout(answerMs), this.#stopping.signal]),
      })
      await response.body?.cancel()
      const reply = `${response.status} ${response.statusText}`.trim().slice(0, replyMax)
      if (response.ok) return { kind: 'taken', reply }
      // Too early, too many, not now: come again. Any other refusal would be the same the next time.
      if (response.status >= 500 || [408, 425, 429].includes(response.status)) return { kind: 'later', reply }
      return { kind: 'refused', reply }
    } catch (error) {
      if (this.#stopping.signal.aborted) return { kind: 'stopped' }
      return { kind: 'later', reply: describeError(error).slice(0, replyMax) }
    }
  }

  drain(): void {
    this.#isDraining = true
    void this.#flush()
  }

  async close(): Promise<void> {
    this.#stopping.abort()
  }
}
