/** Where a route delivers to. */
import type { Classified } from '#schemas/types.ts'

export type Delivery =
  | { readonly kind: 'taken' | 'later' | 'refused'; readonly reply: string }
  /** We are stopping; the message stays where it is. */
  | { readonly kind: 'stopped' }

export interface Target {
  /** One attempt; it does not reject for what the other side does. */
  deliver(message: Classified): Promise<Delivery>
  /** No more will come: what waits for company is delivered now, and what waits for a host that is down is given up. */
  drain(): void
  /** What is still under way is cut off. */
  close(): Promise<void>
}
