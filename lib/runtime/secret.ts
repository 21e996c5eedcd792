/** Comparing secrets. */
import { createHash, timingSafeEqual } from 'node:crypto'

/** Whether two texts are the same, without telling by its time how much of them was. */
export const isSameSecret = (a: string, b: string): boolean =>
  timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest())
