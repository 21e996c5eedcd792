/**
 * Opt-outs: mail to an unsubscribe address (the mailto of List-Unsubscribe, RFC 2369 and RFC 8058), or a command as subject or as
 * the first words above the quoted part.
 */
import type { Evidence } from '#schemas/types.ts'
import type { Sources } from './sources.ts'

const command =
  /^(?:re:\s*|aw:\s*|fwd?:\s*)*(?:please\s+|bitte\s+)?(?:un-?subscribe(?:\s+me)?|remove(?:\s+me)?(?:\s+from\s+(?:this|your|the)\s+(?:mailing\s+)?list)?|opt[ -]?out|stop(?:\s+(?:sending|e?-?mailing)[^\n]{0,40})?|take me off[^\n]{0,40}|abmelden|abbestellen|austragen|d[ée]sabonner|d[ée]sinscri(?:re|ption)|me d[ée]sinscrire|cancelar(?:\s+(?:la\s+)?suscripci[oó]n)?|darme de baja|dar de baja|baja|cancellami|disiscri(?:vimi|zione)|annulla iscrizione|remover|descadastrar|cancelar inscri[cç][aã]o|afmelden|uitschrijven|avprenumerera|avregistrera|afmeld|framelding|wypisz|rezygnuj[eę]|odhl[aá]sit|leiratkoz[aá]s|dezabonare|отпис(?:ать(?:ся)?|ка)|abonelikten ç[ıi]k|退订|取消订阅|配信停止|購読解除|登録解除|수신거부|구독취소)[\s.!。]*$/iu

const lineBytesMax = 200

export function readOptOut(sources: Sources, addresses: readonly RegExp[]): Evidence | null {
  for (const { address } of sources.envelope?.forwardPaths ?? []) {
    if (addresses.some((pattern) => pattern.test(address))) {
      return { decided: 'kind', rule: 'envelope:opt-out-address', start: 0, end: 0, text: address.slice(0, 200) }
    }
  }
  const to = sources.header('to')
  if (sources.envelope === null && addresses.some((pattern) => pattern.test(to))) {
    return sources.field('kind', 'field:opt-out-address', 'to')
  }
  if (sources.has('x-apple-unsubscribe'))
    return sources.field('kind', 'field:x-apple-unsubscribe', 'x-apple-unsubscribe')
  if (command.test(sources.header('subject').trim())) return sources.field('kind', 'text:subject-command', 'subject')
  for (const line of topLines(sources.notice().text)) {
    if (command.test(line)) return sources.find('kind', 'text:body-command', line)
  }
  return null
}

/** The first lines that the sender wrote: above any quoted part. */
function topLines(text: string): string[] {
  const lines: string[] = []
  for (const line of text.split(/\r?\n/).slice(0, 50)) {
    const trimmed = line.trim()
    if (
      trimmed.startsWith('>') ||
      /^(?:on .{5,100} wrote:|am .{5,100} schrieb|le .{5,100} a écrit|-{3,}\s*original|_{10,}|from:\s)/i.test(trimmed)
    )
      break
    if (trimmed === '' || trimmed.length > lineBytesMax) continue
    lines.push(trimmed)
    if (lines.length >= 3) break
  }
  return lines
}
