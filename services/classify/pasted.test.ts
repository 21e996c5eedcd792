/** Bounces that a person pastes into a message of his own, as mail programs do it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { textMail } from '#lib/testing/mail.ts'
import { classify } from './classify.ts'
import { Sources } from './sources.ts'

type Sent = { readonly from: string; readonly subject: string; readonly text: string }

const forms: Readonly<Record<string, (sent: Sent) => string>> = {
  Gmail: ({ from, subject, text }) =>
    `FYI\n\n---------- Forwarded message ---------\nFrom: ${from}\nDate: Mon, 2 Nov 2020\nSubject: ${subject}\nTo: <news@sender.example>\n\n\n${text}`,
  Outlook: ({ from, subject, text }) =>
    `See below.\n\nJane\n\n________________________________\nFrom: ${from}\nSent: Monday\nTo: News <news@sender.example>\nSubject: ${subject}\n\n${text}`,
  'Outlook of before': ({ from, subject, text }) =>
    `this came back.\n\n-----Original Message-----\nFrom: ${from}\nSent: Monday\nTo: news@sender.example\nSubject: ${subject}\n\n${text}`,
  'Apple Mail': ({ from, subject, text }) =>
    `Begin forwarded message:\n\n> From: ${from}\n> Subject: ${subject}\n> Date: 2 November 2020\n> To: news@sender.example\n> \n${text.replaceAll(/^/gm, '> ')}`,
  'Thunderbird, in German': ({ from, subject, text }) =>
    `siehe unten\n\n-------- Weitergeleitete Nachricht --------\nBetreff: \t${subject}\nDatum: \tMon, 2 Nov 2020\nVon: \t${from}\nAn: \tnews@sender.example\n\n\n${text}`,
  'a program in a language that is not known here': ({ from, subject, text }) =>
    `??\n\n-------- ᚠᚢᚦ --------\nཀཁག: ${subject}\nᚨᚱᚲ: 2020-11-02\nᚷᚹ ᚺ: ${from}\nᚾᛁ: news@sender.example\n\n${text}`,
  'Roundcube, in Hindi': ({ from, subject, text }) =>
    `-------- मूल संदेश --------\nविषय: ${subject}\nतारीख: 2020-11-02\nप्रेषक: ${from}\nको: news@sender.example\n\n${text}`,
  'a program that marks its lines': ({ from, text }) =>
    `this came back.\n\nOn Mon, 2 Nov 2020, ${from} wrote:\n\n${text.replaceAll(/^/gm, '> ')}`,
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const broken = (text: string): string => escaped(text).replaceAll('\n', '<br>\n').replaceAll('  ', '&nbsp; ')
const inDivs = (text: string): string =>
  escaped(text)
    .split('\n')
    .map((line) => `<div>${line || '<br>'}</div>`)
    .join('\n')
const inParagraphs = (text: string): string =>
  escaped(text)
    .split('\n')
    .map((line) => `<p class="MsoNormal">${line || '&nbsp;'}<o:p></o:p></p>`)
    .join('\n')

/** Without a text beside them. */
const pages: Readonly<Record<string, (sent: Sent) => string>> = {
  Gmail: ({ from, subject, text }) =>
    `<div dir="ltr">FYI<br><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">---------- Forwarded message ---------<br>Von: <strong dir="auto">${escaped(from)}</strong><br>Date: Mo., 2. Nov. 2020<br>Subject: ${escaped(subject)}<br>To: &lt;<a href="mailto:news@sender.example">news@sender.example</a>&gt;<br></div><br><br>${broken(text)}</div></div>`,
  Outlook: ({ from, subject, text }) =>
    `<div class="WordSection1"><p class="MsoNormal">See below<o:p></o:p></p>\n<div>\n<p class="MsoNormal"><b>From:</b> ${escaped(from)} <br>\n<b>Sent:</b> Monday<br>\n<b>To:</b> News &lt;news@sender.example&gt;<br>\n<b>Subject:</b> ${escaped(subject)}<o:p></o:p></p>\n</div>\n<p class="MsoNormal"><o:p>&nbsp;</o:p></p>${inParagraphs(text)}</div>`,
  'Outlook on the web, in French': ({ from, subject, text }) =>
    `<div>voir</div><hr><div id="divRplyFwdMsg" dir="ltr"><font face="Calibri"><b>De :</b> ${escaped(from)}<br>\n<b>Envoyé :</b> lundi<br>\n<b>À :</b> news@sender.example<br>\n<b>Objet :</b> ${escaped(subject)}</font><div>&nbsp;</div></div>${inDivs(text)}`,
  'Apple Mail': ({ from, subject, text }) =>
    `<blockquote type="cite"><div>Begin forwarded message:</div><br><div><span><b>From: </b></span><span>${escaped(from)}<br></span></div><div><span><b>Subject: </b></span><span><b>${escaped(subject)}</b><br></span></div><div><b>Date: </b>2 November 2020<br></div><div><b>To: </b>news@sender.example<br></div><br><div>${broken(text)}</div></blockquote>`,
  Thunderbird: ({ from, subject, text }) =>
    `<p>see</p><div>-------- Forwarded Message --------<table><tbody><tr><th>Subject: </th><td>${escaped(subject)}</td></tr><tr><th>Date: </th><td>Mon, 2 Nov 2020</td></tr><tr><th>From: </th><td>${escaped(from)}</td></tr><tr><th>To: </th><td>news@sender.example</td></tr></tbody></table><br><pre>${escaped(text)}</pre></div>`,
  'an answer of Gmail, passed on': ({ from, text }) =>
    `<div>this came back</div><div>On Mon, Nov 2, 2020 at 10:00 AM ${escaped(from)} wrote:<br></div><blockquote class="gmail_quote">${broken(text)}</blockquote>`,
}

const read = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'golden', `${name}.eml`))
const said = (message: Buffer): unknown[] => {
  const { kind, recipients } = classify(message)
  return [kind, ...recipients.map(({ address, reason }) => `${address} ${reason}`)]
}

describe('a bounce that a person pastes', () => {
  for (const name of [
    'postfix',
    'exim',
    'qmail',
    'gmail-old',
    'yahoo',
    'haraka',
    'kerio',
    'exchange-2003',
    'several-in-words',
  ]) {
    it(`is read as if it had come by itself: ${name}`, () => {
      const message = read(name)
      const sources = new Sources(message, null)
      const { text, returned } = sources.notice()
      const sent = { from: sources.header('from'), subject: sources.header('subject'), text: `${text}\n${returned}` }
      for (const [program, paste] of Object.entries(forms)) {
        const pasted = textMail('Jane <jane@corp.example>', `Fwd: ${sent.subject}`, paste(sent))
        assert.deepEqual(said(pasted), said(message), program)
        // The bytes that the evidence names are there.
        for (const { start, end } of classify(pasted).evidence) assert.ok(start <= end && end <= pasted.length)
      }
    })
  }

  for (const name of ['postfix', 'exim', 'qmail', 'gmail-old', 'yahoo', 'kerio', 'exchange-2003', 'several-in-words']) {
    it(`is read in a page, too: ${name}`, () => {
      const message = read(name)
      const sources = new Sources(message, null)
      const { text, returned } = sources.notice()
      // Whose return address is another's no page says.
      const from = 'Mail Delivery System <MAILER-DAEMON@mx.example>'
      const sent = { from, subject: sources.header('subject'), text: `${text}\n${returned}` }
      for (const [program, paste] of Object.entries(pages)) {
        const page = `<html><head><style>p{margin:0}</style></head><body>${paste(sent)}</body></html>`
        const mail = textMail('Jane <jane@corp.example>', `Fwd: ${sent.subject}`, page).toString()
        const pasted = Buffer.from(mail.replace('text/plain', 'text/html'))
        assert.deepEqual(said(pasted), said(message), program)
      }
    })
  }

  it('is none in an answer, and none where what is pasted is something else', () => {
    const sent = {
      from: 'MAILER-DAEMON@mx.example',
      subject: 'Undelivered mail',
      text: '<ann@x.example>: user unknown\n',
    }
    const news = {
      from: 'News <news@other.example>',
      subject: 'May',
      text: 'Your parcel could not be delivered to ann@x.example.\n',
    }
    for (const paste of Object.values(forms)) {
      assert.deepEqual(
        said(textMail('Jane <jane@corp.example>', 'Re: Undelivered mail', paste(sent), ['In-Reply-To: <1@x>'])),
        ['reply'],
      )
      assert.deepEqual(said(textMail('Jane <jane@corp.example>', 'Fwd: May', paste(news))), ['unknown'])
    }
  })

  it('is looked for in time', () => {
    for (const text of [
      'From: a\n'.repeat(30_000),
      '> '.repeat(100_000),
      `${'Subject: x\n\n'.repeat(20_000)}From: MAILER-DAEMON`,
    ]) {
      assert.equal(said(textMail('Jane <jane@corp.example>', 'x', text))[0], 'unknown')
    }
  })
})
