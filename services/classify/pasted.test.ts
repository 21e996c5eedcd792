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
