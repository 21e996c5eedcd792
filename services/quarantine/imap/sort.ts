/** SORT and THREAD (RFC 5256): base subjects, sent dates, and threads by subject and by references. Pure. */
import { decodeHeaderText } from '#lib/mail/charset.ts'
import { parseFields, rawHeader } from '#lib/mail/mime.ts'
import { findAddress } from '#lib/mail/smtp-address.ts'

/** What sorting needs of a message. */
export type Sortable = {
  readonly number: number
  readonly receivedAt: number
  readonly size: number
  readonly header: Buffer
}

export type SortKey = { readonly name: string; readonly reverse: boolean }
export const sortNames: ReadonlySet<string> = new Set(['ARRIVAL', 'CC', 'DATE', 'FROM', 'SIZE', 'SUBJECT', 'TO'])

const fieldOf = (header: Buffer, name: string): string =>
  rawHeader(header, parseFields(header, 0, header.length), name) ?? ''

const trailer = '(fwd)'
/** Re:, Fwd: and the names of lists in front of a subject. */
const leaders = /^(?:(?:re|fwd?)\s*(?:\[[^[\]]*\])?\s*:\s*|\[[^[\]]*\]\s*)+/i
const forwardsMax = 20

/** RFC 5256 section 2.1: without Re:, Fwd: and the names of lists. Each turn takes all that it can, so that a long one costs little. */
export function baseSubject(raw: string): { readonly base: string; readonly isReply: boolean } {
  let text = decodeHeaderText(raw).replace(/\s+/g, ' ').trim()
  let isReply = false
  for (let turn = 0; turn < forwardsMax; turn++) {
    let end = text.length
    while (text.slice(end - trailer.length, end).toLowerCase() === trailer) {
      end -= trailer.length
      while (text[end - 1] === ' ') end--
      isReply = true
    }
    text = text.slice(0, end)
    const [front = ''] = leaders.exec(text) ?? []
    if (front.replace(/\[[^[\]]*\]/g, '').includes(':')) isReply = true
    // A name of a list is dropped unless nothing would be left.
    text = text.slice(front.length) || (/\[[^[\]]*\]$/.exec(front.trimEnd())?.[0] ?? '')
    const forwarded = /^\[fwd:(.*)\]$/i.exec(text)
    if (forwarded === null) break
    text = (forwarded[1] ?? '').trim()
    isReply = true
  }
  return { base: text.toUpperCase(), isReply }
}

const sentAt = ({ header, receivedAt }: Sortable): number => {
  const at = Date.parse(fieldOf(header, 'date'))
  return Number.isNaN(at) ? receivedAt : at
}

const mailboxPart = (value: string): string => (findAddress(value).split('@')[0] ?? '').toUpperCase()

function sortValue(message: Sortable, name: string): number | string {
  switch (name) {
    case 'ARRIVAL':
      return message.receivedAt
    case 'SIZE':
      return message.size
    case 'DATE':
      return sentAt(message)
    case 'SUBJECT':
      return baseSubject(fieldOf(message.header, 'subject')).base
    default:
      return mailboxPart(fieldOf(message.header, name.toLowerCase()))
  }
}

/** Numbers in the order of the keys; what is equal stays in the order of the numbers. */
export function sorted(messages: readonly Sortable[], keys: readonly SortKey[]): number[] {
  const rows = messages.map((message) => ({
    number: message.number,
    values: keys.map(({ name }) => sortValue(message, name)),
  }))
  rows.sort((a, b) => {
    for (const [index, { reverse }] of keys.entries()) {
      const [one = 0, other = 0] = [a.values[index], b.values[index]]
      if (one !== other) return one < other !== reverse ? -1 : 1
    }
    return a.number - b.number
  })
  return rows.map(({ number }) => number)
}

type Node = {
  readonly number: number | null
  children: Node[]
  parent: Node | null
  readonly at: number
  readonly subject: string
  readonly isReply: boolean
}

const node = (message: Sortable | null): Node => {
  const { base, isReply } =
    message === null ? { base: '', isReply: false } : baseSubject(fieldOf(message.header, 'subject'))
  return {
    number: message?.number ?? null,
    children: [],
    parent: null,
    at: message === null ? 0 : sentAt(message),
    subject: base,
    isReply,
  }
}

/** RFC 5256 section 3, ORDEREDSUBJECT: by subject, in a thread by date under the first. */
export function bySubject(messages: readonly Sortable[]): string {
  const groups = new Map<string, Node[]>()
  for (const each of messages.map(node)) {
    const group = groups.get(each.subject)
    if (group === undefined) groups.set(each.subject, [each])
    else group.push(each)
  }
  const threads = [...groups.values()].map((group) => {
    const [first, ...rest] = group.sort(byDate)
    if (first !== undefined) first.children = rest
    return first
  })
  return threads
    .filter((thread) => thread !== undefined)
    .sort(byDate)
    .map((thread) => `(${written(thread)})`)
    .join('')
}

const byDate = (a: Node, b: Node): number => a.at - b.at || (a.number ?? 0) - (b.number ?? 0)
const depthMax = 200

/** RFC 5256 section 3, REFERENCES: by In-Reply-To and References, roots of one subject together. */
export function byReferences(messages: readonly Sortable[]): string {
  const byId = new Map<string, Node>()
  const nodes: Node[] = []
  const idsIn = (value: string): string[] => value.match(/<[^<>\s]{1,998}>/g) ?? []
  const get = (id: string): Node => {
    let found = byId.get(id)
    if (found === undefined) {
      found = node(null)
      byId.set(id, found)
      nodes.push(found)
    }
    return found
  }
  const isUnder = (child: Node, parent: Node): boolean => {
    for (let up: Node | null = parent; up !== null; up = up.parent) if (up === child) return true
    return false
  }
  const link = (child: Node, parent: Node): void => {
    if (child.parent !== null || isUnder(child, parent)) return
    child.parent = parent
    parent.children.push(child)
  }
  for (const [n, message] of messages.entries()) {
    const own = idsIn(fieldOf(message.header, 'message-id'))[0] ?? `<${n} none>`
    const placeholder = byId.get(own)
    const self = node(message)
    if (placeholder !== undefined && placeholder.number === null) {
      // What was only heard of so far is here.
      self.children = placeholder.children
      self.parent = placeholder.parent
      for (const child of self.children) child.parent = self
      if (self.parent !== null) self.parent.children[self.parent.children.indexOf(placeholder)] = self
      nodes[nodes.indexOf(placeholder)] = self
      byId.set(own, self)
    } else {
      nodes.push(self)
      byId.set(placeholder === undefined ? own : `<${n} again>`, self)
    }
    const references = idsIn(fieldOf(message.header, 'references'))
    const chain = (
      references.length > 0 ? references : idsIn(fieldOf(message.header, 'in-reply-to')).slice(0, 1)
    ).slice(-50)
    for (let at = 1; at < chain.length; at++) link(get(chain[at] ?? ''), get(chain[at - 1] ?? ''))
    const last = chain.at(-1)
    if (last !== undefined && last !== own) {
      if (self.parent !== null) self.parent.children.splice(self.parent.children.indexOf(self), 1)
      self.parent = null
      link(self, get(last))
    }
  }
  const pruned = (list: readonly Node[], isRoot: boolean): Node[] =>
    list.flatMap((each) => {
      each.children = pruned(each.children, false)
      if (each.number !== null) return [each]
      // A placeholder goes; at the root it stays where it holds several together.
      return isRoot && each.children.length > 1 ? [each] : each.children
    })
  const roots = pruned(
    nodes.filter(({ parent }) => parent === null),
    true,
  )
  const oldest = (each: Node): number =>
    each.number !== null ? each.at : Math.min(...each.children.map(({ at }) => at))
  return joinSubjects(roots)
    .sort((a, b) => oldest(a) - oldest(b))
    .map((each) => `(${written(each)})`)
    .join('')
}

/** Roots of one subject: an answer goes under what it answers, others side by side. */
function joinSubjects(roots: readonly Node[]): Node[] {
  const first = new Map<string, Node>()
  const kept: Node[] = []
  for (const root of [...roots].sort(byDate)) {
    const subject = root.number === null ? (root.children[0]?.subject ?? '') : root.subject
    const known = subject === '' ? undefined : first.get(subject)
    if (known === undefined) {
      if (subject !== '') first.set(subject, root)
      kept.push(root)
    } else if (root.isReply && !known.isReply && known.number !== null) known.children.push(root)
    else if (known.number === null) known.children.push(...(root.number === null ? root.children : [root]))
    else {
      const together: Node = { ...node(null), children: [known, root] }
      kept[kept.indexOf(known)] = together
      first.set(subject, together)
    }
  }
  return kept
}

function written(root: Node, depth = 0): string {
  const children = [...root.children].sort(byDate)
  const own = root.number === null ? '' : String(root.number)
  if (depth > depthMax || children.length === 0) return own
  const [only] = children
  if (children.length === 1 && only !== undefined)
    return own === '' ? written(only, depth + 1) : `${own} ${written(only, depth + 1)}`
  const branches = children.map((child) => `(${written(child, depth + 1)})`).join('')
  return own === '' ? branches : `${own} ${branches}`
}
