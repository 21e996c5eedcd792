/** Which bytes of a message a section names (RFC 9051 section 6.4.5). Pure. */
import type { Part } from '#lib/mail/mime.ts'
import type { Section } from './grammar.ts'

/** The part that numbers name; null: there is none. */
export function partOf(root: Part, numbers: readonly number[]): Part | null {
  let part: Part = root
  for (const [level, number] of numbers.entries()) {
    // Within a message/rfc822 the numbers count the parts of the message in it.
    if (level > 0 && part.type === 'message/rfc822' && part.children[0] !== undefined) part = part.children[0]
    if (part.type.startsWith('multipart/') && part.children.length > 0) {
      const child = part.children[number - 1]
      if (child === undefined) return null
      part = child
    } else if (number !== 1) return null
  }
  return part
}

/** Null: there is no such part. */
export function readSectionBytes(bytes: Buffer, root: Part, section: Section): Buffer | null {
  if (section.part.length === 0) return textOf(bytes, root, section)
  const part = partOf(root, section.part)
  if (part === null) return null
  switch (section.text) {
    case '':
      return bytes.subarray(part.bodyStart, part.end)
    case 'MIME':
      return bytes.subarray(part.start, part.bodyStart)
    default: {
      const message = part.type === 'message/rfc822' ? part.children[0] : undefined
      return message === undefined ? null : textOf(bytes, message, section)
    }
  }
}

function textOf(bytes: Buffer, message: Part, section: Section): Buffer {
  switch (section.text) {
    case '':
    case 'MIME':
      return bytes.subarray(message.start, message.end)
    case 'HEADER':
      return bytes.subarray(message.start, message.bodyStart)
    case 'TEXT':
      return bytes.subarray(message.bodyStart, message.end)
    case 'HEADER.FIELDS':
    case 'HEADER.FIELDS.NOT':
      return fieldsOf(bytes, message, section.fields, section.text === 'HEADER.FIELDS')
    default:
      return section.text satisfies never
  }
}

/** The named fields (or all others) as they stand, and the blank line that ends a header. */
export function fieldsOf(bytes: Buffer, part: Pick<Part, 'fields'>, names: readonly string[], wanted: boolean): Buffer {
  const set = new Set(names.map((name) => name.toLowerCase()))
  const pieces = part.fields
    .filter((field) => set.has(field.name) === wanted)
    .map((field) => bytes.subarray(field.start, field.end))
  return Buffer.concat([...pieces, Buffer.from('\r\n')])
}
