/** A route to SMTP hosts: the original, unchanged, to its own recipients or to others, by the relay that forward uses. */
import type { Objects } from '#lib/objects/objects.ts'
import type { Clock } from '#lib/runtime/clock.ts'
import type { Logger } from '#lib/runtime/logger.ts'
import { replyLine } from '#lib/smtp/reply.ts'
import type { Classified } from '#schemas/types.ts'
import type { RelayConfig } from '../config.ts'
import { clientOptionsOf, Hosts, parseLegacyHost } from '../hosts.ts'
import { relay } from '../relay.ts'
import type { SmtpTarget } from './rules.ts'
import type { Delivery, Target } from './target.ts'

const connectionsMax = 5

export class SmtpDelivery implements Target {
  readonly #target: SmtpTarget
  readonly #config: RelayConfig
  readonly #ports: { readonly objects: Objects; readonly clock: Clock; readonly logger: Logger }
  readonly #hosts: Hosts

  constructor(
    target: SmtpTarget,
    config: RelayConfig,
    ports: { readonly objects: Objects; readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#target = target
    this.#config = config
    this.#ports = ports
    this.#hosts = new Hosts({
      hosts: target.hosts.map(parseLegacyHost),
      connectionsMax,
      client: clientOptionsOf(config),
      clock: ports.clock,
      logger: ports.logger,
      failed: () => {},
      changed: () => {},
    })
  }

  async deliver(message: Classified): Promise<Delivery> {
    const { recipients } = this.#target
    const envelope =
      recipients.length === 0
        ? message.envelope
        : { ...message.envelope, forwardPaths: recipients.map((address) => ({ address, parameters: {} })) }
    const result = await relay(
      { ...message, envelope },
      envelope.forwardPaths.map((_, index) => index),
      {
        hosts: this.#hosts,
        objects: this.#ports.objects,
        lookAlike: this.#config.lookAlike,
        origin: 'off',
        receivedBy: null,
        clock: this.#ports.clock,
        isRevoked: () => false,
      },
    )
    if (result.kind === 'stopped') return { kind: 'stopped' }
    if (result.kind === 'unsendable') return { kind: 'refused', reply: result.detail }
    // One recipient that is deferred has the message come again for all: copies may be repeated, none is lost.
    const decisive =
      result.outcomes.find(({ kind }) => kind === 'deferred') ??
      result.outcomes.find(({ kind }) => kind === 'dead') ??
      result.outcomes[0]
    if (decisive === undefined) return { kind: 'refused', reply: 'the message has no recipients' }
    const kinds = { delivered: 'taken', deferred: 'later', dead: 'refused' } as const
    return { kind: kinds[decisive.kind], reply: replyLine(decisive.reply) }
  }

  drain(): void {
    if (!this.#hosts.anyUp) this.#hosts.stop()
  }

  close(): Promise<void> {
    return this.#hosts.close()
  }
}
