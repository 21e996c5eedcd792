/** Where a page of messages ended: the instant, then the position. */
import type { MessageRow } from '../view/view.ts'

export const cursorPattern = '^\\d{1,15}-\\d{1,6}-\\d{1,15}$'

export const cursorOf = (row: MessageRow): string => `${row.receivedAt}-${row.partition}-${row.offset}`

export function parseCursor(cursor: string): { receivedAt: number; partition: number; offset: number } {
  const [receivedAt = 0, partition = 0, offset = 0] = cursor.split('-').map(Number)
  return { receivedAt, partition, offset }
}
