/** What the commands about messages share. */
import type { Entry } from '../../mailbox/view.ts'
import { type Reader, type SequenceSet, SyntaxProblem, star } from '../grammar.ts'
import type { Selected, Session } from '../session.ts'
import { indexesOf, type Ranges, rangesOf } from '../sets.ts'

export const selectedOf = (session: Session): Selected => {
  if (session.selected === null) throw new SyntaxProblem('no mailbox is selected')
  return session.selected
}

export type NamedSet = { readonly set: SequenceSet; readonly ranges: Ranges }

/** The messages that a command names, of those that the client knows of. */
export function readSet(session: Session, reader: Reader, byUid: boolean): NamedSet {
  if (!byUid && session.enabled.has('UIDONLY')) throw new SyntaxProblem('[UIDREQUIRED] message numbers are off')
  const { uids, count } = selectedOf(session)
  const { set, isSaved } = reader.setOrSaved(() => session.saved)
  if (
    !byUid &&
    !isSaved &&
    set.some(([first, last]) => Math.min(first, last) > count && Math.min(first, last) !== star)
  ) {
    throw new SyntaxProblem('there is no such message')
  }
  return { set, ranges: rangesOf(set, byUid || isSaved, uids, count) }
}

/** Their entries, of those that are still there. */
export function* entriesOf(session: Session, ranges: Ranges): Generator<{ index: number; entry: Entry }> {
  const { uids, mailbox } = selectedOf(session)
  for (const index of indexesOf(ranges)) {
    const entry = session.ports.view.entry(mailbox.id, uids[index] ?? 0)
    if (entry !== null) yield { index, entry }
  }
}
