/** A recipient of whom nothing is known yet: each reader fills in what its report says. */
import type { VerdictRecipient } from '#schemas/types.ts'

export const nobody: VerdictRecipient = {
  address: '',
  originalAddress: '',
  action: '',
  status: '',
  reply: '',
  reason: 'undefined',
  permanent: false,
  remoteMta: '',
  diagnostic: '',
}
