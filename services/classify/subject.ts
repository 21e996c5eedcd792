/** What mail programs put in front of the subject that they answer or pass on, in their languages. Patterns, to be read without case and with "u". */

/** Of a reply: Outlook and Thunderbird by language, beside "Re", which all know (RFC 5322, section 3.6.5). */
export const replyPrefix =
  '(?:re|r|aw|antw(?:oord|ort)?|sv|vs|odp|ynt|rif|res|vá|bls|απ|σχετ|отв|ответ|на|回复|回覆|答复|答覆|返信|回信|답장|회신|رد|תגובה|השב)(?:\\[\\d{1,3}\\])?\\s*[:：]'

/** Of a message that was passed on. */
export const forwardPrefix =
  '(?:fwd?|tr|rv|wg|wl|vb|vl|i|enc|doorst|pd|ilt|továbbítás|trs|tlb|πρθ|пересл|转发|轉寄|転送|전달)\\s*[:：]'

const reply = new RegExp(`^${replyPrefix}`, 'iu')

export const isReply = (subject: string): boolean => reply.test(subject)

/** What filters and gateways put in front: "[EXTERNAL]", "***SPAM***", "{Spam?}", "EXT:". */
const tags =
  /^(?:\s*(?:\[[^\]\n]{0,20}\b(?:ext|external|extern[eoa]?|esterno|spam|bulk|junk|phishing|suspicious|caution|warning|virus|marketing)\b[^\]\n]{0,20}\]|\*{2,5}\s?[^*\n]{1,30}\*{2,5}|\{(?:spam|disarmed|virus)[^}\n]{0,20}\}|<ext(?:ernal)?>|ext(?:ern(?:al)?)?\s?:))+\s*/i

export const untagged = (subject: string): string => subject.replace(tags, '')
