/** Where a route delivers to. */
import type { Classified } from '#schemas/types.ts'

export type Delivery =
  | { readonly kind: 'taken' | 'later' | 'refused'; readonly reply: string }
  /** We are stopping; the message stays where it is. */
  | { readonly kind: 'stopped' }

export interface Target {
  /** One attempt; it does not reject for what the other side does. */
  deliver(message: Classified): Promise<Delivery>
  close(): Promise<void>
}
