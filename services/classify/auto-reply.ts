/**
 * Automatic replies (RFC 3834): out of office, tickets, challenges, "I have moved". A null reverse-path alone decides nothing.
 */
import type { Evidence } from '#schemas/types.ts'
import type { Sources } from './sources.ts'
import { forwardPrefix, isReply, replyPrefix } from './subject.ts'

/** The rule of those that only their words give away. */
export const acknowledgement = 'text:acknowledgement'

export type AutoReply = {
  readonly variant: 'out-of-office' | 'ticket' | 'challenge' | 'moved' | 'other'
  readonly evidence: Evidence
}

/** Words that stand for an automatic reply wherever the subject begins with them. */
const replyWords =
  'auto(?:matic)?[- ]?(?:reply|response|responder|matische antwort)|automatisch(?:e|es)? (?:antwort|antwoord)|réponse automatique|respuesta autom[aá]tica|risposta automatica|resposta autom[aá]tica|automatyczna odpowied|odpowiedź automatyczna|automatick[aá] odpov[eě][dď]|automatikus v[aá]lasz|automaattinen vastaus|r[aă]spuns automat|auto(?:matisk(?:t)?)? ?svar|autosvar|otomatik yan[ıi]t|автоматический ответ|автоответ|автоматична відповідь|αυτόματη απάντηση|trả lời tự động|balasan otomatis|自动(?:回复|答复|回覆)|自動(?:返信|応答|回覆|答覆)|(?:부재 ?중 ?)?자동 ?(?:회신|응답)|رد تلقائي|מענה אוטומטי|(?:การ)?ตอบกลับอัตโนมัติ'
/** Words that do where nothing follows but a separator, the subject that is answered, or until when. */
const absenceWords =
  'out of (?:the )?office|ooo|(?:i am |i.m )?(?:currently )?(?:away|(?:on )?(?:annual|maternity|paternity|parental|sick|medical) leave|on (?:vacation|holiday|leave))(?: from[^:]{0,40})?|vacation|abwesen(?:heit(?:snotiz)?|d)|nicht im büro|urlaub|absen(?:t|ce)(?: du bureau)?|en vacances|fuera de (?:la )?oficina|ausente|de vacaciones|fuori ufficio|assente|in ferie|fora do escritório|ausência(?: temporária)?|afwezig(?:heid)?|niet op kantoor|frånvaro|fraværende|borta|poissa|nieobecn\\p{L}*|poza biurem|nepřítomn\\p{L}*|ofis dışında|нет на месте|в отпуске|отсутству\\p{L}*|不在|休假|外出|부재'
const subjectPattern = new RegExp(
  `^(?:(?:${replyPrefix}|${forwardPrefix})\\s*|\\[[^\\]]{1,40}\\]\\s*)*(?:${replyWords}|(?:${absenceWords})(?:\\s*(?:$|[:!.,;()–—|-]|\\b(?:re|aw|until|till|bis|jusqu|hasta|fino|até|tot|auto\\p{L}*|reply|response|notice|notification|message)\\b)))`,
  'iu',
)
/** What a responder thanks for: a person would quote what he answers. Words of a null reverse-path or of `Precedence: bulk` only. */
const courtesyPattern =
  /^(?:thank you|thanks|many thanks) for (?:your|contacting|e-?mailing|writing|getting)|^(?:vielen |herzlichen )?dank für (?:ihre?n?|deine?n?)|^merci (?:de|pour|d.avoir)|^gracias por (?:su|tu|contact|escrib)|^obrigad[oa] (?:por|pel[oa])|^grazie per (?:la|il|aver|averci)|^(?:hartelijk )?(?:be)?dankt? voor (?:uw|je)|^tack för (?:ditt|din)|^tak for din|^takk for (?:din|at)|^dziękujemy za|^děkujeme za|^спасибо за|お問い合わせありがとう|感谢您的|感謝您的/i
const ticketPattern =
  /\b(?:ticket|case|request|anfrage|demande)\b[^\n]{0,40}(?:#|\bid\b|received|created|opened|erhalten|reçu)|\bticket (?:cread|creat|criad|cré[ée]|erstellt|angelegt|aangemaakt|skapat|oprettet|opprettet|utworzon)\p{L}*|(?:№|\bn[°º]|\b(?:ticket|case|anfrage|vorgang)s?-?(?:nummer|nr\.?|number|no\.?)) ?:? ?#?\d{3,}|\[[^\]\n]{0,60}#?[A-Z]*-?\d{4,}\]|\b(?:INC|RITM|REQ)\d{5,}/iu
/** What nobody but a challenge says. */
const challengeWords =
  /protecting (?:myself|my (?:inbox|mailbox|account)) from (?:receiving )?(?:junk|spam)|held because the (?:e-?mail |sender.s )?(?:address|sender) (?:has not|was not|is not|has never) (?:yet )?(?:been )?(?:verified|confirmed|approved)|to (?:release|deliver|have) your (?:message|mail|e-?mail)[^.\n]{0,60}(?:deliver[^.\n]{0,30})?(?:click|send|reply|confirm|please)|(?:prove|verify|confirm)[^.\n]{0,40}\byou(?:.re| are) (?:a |not a )?(?:human|real|person|robot|spammer)|(?:sender|guest|white|safe|approved)[- ]?list[^.\n]{0,40}(?:click|confirm|request)/i
const challengePattern =
  /challenge|confirm (?:that )?you(?:r e-?mail| are)|(?:e-?mail|sender) (?:address )?verification|spamarrest|boxbe|sender authentication|please (?:verify|confirm)/i
const movedPattern =
  /\bno longer (?:work|with\b|employed|here|part of|at\b)|\b(?:has |have )?left (?:the|our|this) (?:company|firm|business|organi[sz]ation|agency|team|school|university)|new e-?mail address|e-?mail address has changed|nicht mehr (?:für|bei|im unternehmen|in unserem|tätig|angestellt|beschäftigt)|(?:unternehmen|firma|haus) verlassen|neue (?:e-?mail-?)?adresse|ne (?:travaille|fait|fais) plus|a quitté (?:la|l.|notre|le)|nouvelle adresse|ya no (?:trabaj[ao]|forma|pertenece|labora|se encuentra)|ha dejado (?:la|nuestra)|nueva direcci[óo]n|non (?:lavora|fa|è) più|ha lasciato (?:la|l.|il|questa)|nuovo indirizzo|(?:já )?não (?:trabalha|faz|integra|pertence)|deixou a (?:empresa|companhia)|novo endereço|(?:werkt|werkzaam)[^.\n]{0,20} (?:niet (?:meer|langer))|niet (?:meer|langer) (?:werkzaam|in dienst)|uit dienst|nieuw (?:e-?mail)?adres|(?:arbetar|jobbar) inte längre|har slutat|ny (?:e-?post|mejl|mail)?adress|(?:arbejder|ansat) ikke længere|ikke længere (?:ansat|hos)|er fratrådt|har forladt|(?:jobber|arbeider) ikke lenger|har sluttet|ei (?:enää )?(?:työskentele|ole (?:enää )?(?:töissä|palveluksessa))|(?:już )?nie (?:jest już|pracuje)|nowy adres|(?:již|už) nepracuje|už nepracuje|nová adresa|már nem dolgoz|nu mai (?:lucrează|este angajat)|(?:больше|уже) не работает|уволил|новый адрес|більше не працює|artık (?:\S+ )?(?:çalışm|görev yapm)|çalışmamaktadır|ayrılmıştır|yeni (?:e-?posta )?adres|退職|退社|メールアドレス.{0,6}変更|離職|已离职|不再.{0,8}(?:任职|任職|工作)|新(?:邮箱|郵箱|电子邮件)|퇴사|퇴직|새 (?:이메일|메일)/iu
/** What an automatic reply says of one who is away. */
const absencePattern =
  /\b(?:away|office|vacation|holiday|(?:annual|maternity|paternity|parental|sick|on) leave|urlaub|vacances|cong[ée]s?|vacaciones|ferie|férias|vakantie|semester|lomal|urlop|dovolen|szabads[áa]g|concediu)|izind|отпуск|відпуст|休|휴가|άδεια|إجازة|חופש|ลาพัก|nghỉ phép|\bcuti\b/iu
/** What a ticket system says that it did. */
const acknowledgePattern =
  /\bwe(?:.ve| have)? (?:received|registered|logged) your|\b(?:ticket|incident|support request|(?:support )?case) (?:\S+ )?(?:has been|was) (?:created|opened|registered|logged)|nous avons (?:bien )?reçu votre|\byour (?:request|message|e-?mail|inquiry|enquiry|ticket|case|question)\b[^.\n]{0,60}\b(?:received|created|opened|registered|logged|assigned)|(?:ihre?|deine?) (?:anfrage|nachricht|e-?mail|mail|ticket|anliegen)[^.\n]{0,60}(?:erhalten|eingegangen|registriert|aufgenommen|angelegt|erstellt|eröffnet)|votre (?:demande|message|e-?mail|requête)[^.\n]{0,60}(?:reçu|enregistré|pris)|(?:su|tu) (?:solicitud|mensaje|correo|consulta)[^.\n]{0,60}(?:recibid|registrad|cread)|hemos recibido su|(?:sua|tua|vostra) (?:richiesta|e-?mail|segnalazione)[^.\n]{0,60}(?:ricevut|registrat|presa)|(?:sua|seu) (?:solicitação|mensagem|pedido|chamado|e-?mail)[^.\n]{0,60}(?:recebid|registrad|abert)|recebemos (?:a )?sua|(?:uw|je) (?:verzoek|bericht|e-?mail|vraag|melding)[^.\n]{0,60}(?:ontvangen|geregistreerd)|(?:ditt|din) (?:ärende|meddelande|fråga|henvendelse|besked|melding|sak)[^.\n]{0,60}(?:mottag|mottatt|modtag|registrer)|(?:twoje|państwa|pani|pana) (?:zgłoszenie|wiadomość|zapytanie)[^.\n]{0,60}(?:przyjęt|zarejestrowan|otrzyma)|(?:váš|vaši) (?:požadavek|zprávu|dotaz)[^.\n]{0,60}(?:přija|obdrž)|ваш(?:е|а|у)? (?:обращени|запрос|заявк|письм|сообщени)\p{L}*[^.\n]{0,60}(?:получен|принят|зарегистр|создан)|talebiniz[^.\n]{0,60}(?:alınmış|oluşturul)|お問い合わせ.{0,30}(?:受け付け|受付|ありがとう)|(?:已收到|收到了?)(?:您|你)的|문의.{0,20}(?:접수|등록)/iu
/** The subject of what answers for an address that nobody reads. */
const unreadPattern =
  /(?:mail ?box|address|inbox|account)[^\n]{0,20}(?:not|n.t|un) ?(?:being )?(?:monitored|read|attended)|unmonitored|wird nicht (?:gelesen|überwacht|abgerufen)|(?:non|n.est (?:pas|plus)) (?:relevée?|consultée?|lue?)|no (?:supervisad|atendid|se lee)|non (?:presidiata|monitorata)|não monitorad|niet (?:gelezen|gemonitord)/iu
/** What a machine says of itself. */
const machinePattern =
  /\bautomat(?:ed|ic(?:ally)?)\b[^.\n]{0,40}\b(?:message|reply|response|e-?mail|generated|notification|acknowledg)|\bdo not (?:reply|respond|answer)\b|automatisch (?:generiert|erstellt|versendet|verschickt|erzeugt|gegenereerd|verzonden)|nicht (?:auf diese|direkt) [^.\n]{0,20}antworten|ne pas répondre|(?:message|réponse|courriel) automatique|automatiquement|no (?:responda|conteste)|automáticamente|(?:mensaje|respuesta) autom[áa]tic|non rispondere|automaticamente|messaggio automatico|não responda|mensagem autom[áa]tica|niet (?:op deze|beantwoorden)|automatiskt?\b|svara (?:inte|ej)|svar ikke|nie odpowiada|automatycznie|neodpovídejte|автоматическ|не отвечайте|otomatik|自動(?:返信|送信|配信)|自动(?:发送|回复)|自動發送|자동/iu

function isCourtesy(sources: Sources): boolean {
  const isFromMachine =
    sources.envelope?.reversePath === '' ||
    sources.header('return-path') === '<>' ||
    /^(?:bulk|junk)$/i.test(sources.header('precedence'))
  return isFromMachine && !sources.has('list-id') && courtesyPattern.test(sources.header('subject'))
}

export function readAutoReply(sources: Sources): AutoReply | null {
  const autoSubmitted = sources.header('auto-submitted').toLowerCase()
  let evidence: Evidence | null = null
  if (autoSubmitted.startsWith('auto-replied') || autoSubmitted.startsWith('auto-notified')) {
    evidence = sources.field('kind', 'rfc3834:auto-submitted', 'auto-submitted')
  } else {
    const fields = [
      'x-autoreply',
      'x-autorespond',
      'x-autoresponder',
      'x-autoreply-from',
      'x-mail-autoreply',
      'x-vacation',
      'x-autogenerated',
      'x-ms-exchange-inbox-rules-loop',
      'x-ooo',
      'x-tmda-confirm',
      'x-list-administrivia',
    ]
    const field = fields.find((name) => sources.has(name))
    if (field !== undefined && !/^(?:no|false)$/i.test(sources.header(field)))
      evidence = sources.field('kind', `field:${field}`, field)
    else if (/auto[_-]?reply|vacation/i.test(sources.header('precedence')))
      evidence = sources.field('kind', 'field:precedence', 'precedence')
    else if (/vacation|autorespond|auto-?reply/i.test(sources.header('x-mailer')))
      evidence = sources.field('kind', 'field:x-mailer', 'x-mailer')
    else if (subjectPattern.test(sources.header('subject')) || isCourtesy(sources))
      evidence = sources.field('kind', 'text:subject', 'subject')
    else if (
      autoSubmitted.startsWith('auto-generated') &&
      (sources.has('in-reply-to') || isReply(sources.header('subject')))
    ) {
      evidence = sources.field('kind', 'rfc3834:auto-submitted', 'auto-submitted')
    } else if (
      sources.has('x-auto-response-suppress') &&
      sources.has('in-reply-to') &&
      subjectPattern.test(sources.header('thread-topic'))
    ) {
      evidence = sources.field('kind', 'field:x-auto-response-suppress', 'x-auto-response-suppress')
    }
  }
  const words = `${sources.header('subject')}\n${sources.notice().text.slice(0, 4_000)}`
  const challenge = challengeWords.exec(words)?.[0]
  if (evidence === null && challenge !== undefined) evidence = sources.find('kind', 'text:challenge', challenge)
  if (evidence === null && !sources.has('list-id')) {
    const said = acknowledgePattern.exec(words)?.[0]
    const isByMachine = autoSubmitted.startsWith('auto-generated') || machinePattern.test(words)
    if (said !== undefined && (isByMachine || ticketPattern.test(words)))
      evidence = sources.find('kind', acknowledgement, said)
  }
  if (evidence === null && unreadPattern.test(sources.header('subject')) && machinePattern.test(words))
    evidence = sources.field('kind', 'text:subject', 'subject')
  if (evidence === null) return null
  const variant =
    challenge !== undefined || challengePattern.test(words)
      ? 'challenge'
      : movedPattern.test(words)
        ? 'moved'
        : ticketPattern.test(words) || evidence.rule === acknowledgement
          ? 'ticket'
          : subjectPattern.test(sources.header('subject')) || absencePattern.test(words)
            ? 'out-of-office'
            : 'other'
  return { variant, evidence }
}
