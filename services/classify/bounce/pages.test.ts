/** Notices that are pages alone: tables, lists and paragraphs in which systems of today name a recipient and quote the reply. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'

type Told = readonly [address: string, reply: string]
const told: readonly (readonly [...Told, reason: string])[] = [
  ['bob@dest.example', '550 5.1.1 User unknown', 'userunknown'],
  ['eve@other.example', '552 5.2.2 Mailbox full', 'mailboxfull'],
]

const ofOne: Readonly<Record<string, (...told: Told) => string>> = {
  'a row for each field': (a, r) =>
    `<p>Your message could not be delivered.</p><table><tr><td>Recipient:</td><td>${a}</td></tr><tr><td>Reason:</td><td>${r}</td></tr></table>`,
  'a column for each field': (a, r) =>
    `<h2>Delivery failed</h2><table><thead><tr><th>Recipient</th><th>Reason</th></tr></thead><tbody><tr><td>${a}</td><td>${r}</td></tr></tbody></table>`,
  'a heading of each row': (a, r) =>
    `<h2>Undeliverable</h2><table><tr><th>To</th><td><a href="mailto:${a}">${a}</a></td></tr><tr><th>Error</th><td><code>${r}</code></td></tr></table>`,
  'terms and descriptions': (a, r) =>
    `<h1>Message not delivered</h1><dl><dt>Recipient</dt><dd>${a}</dd><dt>Server response</dt><dd>${r}</dd></dl>`,
  'an item': (a, r) => `<p>The following recipients could not be reached:</p><ul><li>${a} - ${r}</li></ul>`,
  'an item with a line for the reply': (a, r) =>
    `<p>We could not deliver your message to</p><ul><li><b>${a}</b><br>${r}</li></ul>`,
  'a sentence': (a, r) =>
    `<p>Your message to <span style="color:#0072c6">${a}</span> couldn't be delivered.</p><p>Technical details:<br>${r}</p>`,
  'what is written in a report': (a, r) =>
    `<p>Undelivered:</p><pre>&lt;${a}&gt;: host mx.dest.example[192.0.2.1] said: ${r} (in reply to RCPT TO command)</pre>`,
  'tables in tables': (a, r) =>
    `<table><tr><td><table><tr><td>&nbsp;</td><td><p>Mail to</p></td></tr><tr><td></td><td><p>${a}</p></td></tr><tr><td></td><td><p>failed: ${r}</p></td></tr></table></td></tr></table>`,
  'a letter': (a, r) =>
    `<p>Dear sender,</p><p>unfortunately we were unable to deliver your mail to the address ${a}.</p><p>The server told us:</p><blockquote>${r}</blockquote><p>Best regards,<br>Your mail team</p>`,
  'an address that may break': (a, r) => `<p>Could not deliver to ${a.replace('@', '<wbr>@<wbr>')}</p><p>${r}</p>`,
  'an address in two types': (a, r) => `<p>Could not deliver to <b>${a.replace('@', '</b>@')}</p><p>${r}</p>`,
  'a link beside it': (a, r) =>
    `<p>Your message wasn't delivered to <a href="mailto:${a}">${a}</a> because the address couldn't be found.</p><a href="https://help.example/x?e=${a}">LEARN MORE</a><p>The response was:</p><p>${r}</p>`,
  Japanese: (a, r) => `<p>以下の宛先にメールを配信できませんでした。</p><p>${a}</p><p>${r}</p>`,
}
const ofSeveral: Readonly<Record<string, (told: readonly Told[]) => string>> = {
  'a row for each': (all) =>
    `<h2>Undeliverable</h2><table><tr><th>Recipient</th><th>Reason</th></tr>${all.map(([a, r]) => `<tr><td>${a}</td><td>${r}</td></tr>`).join('')}</table>`,
  'an item for each': (all) =>
    `<p>These could not be reached:</p><ul>${all.map(([a, r]) => `<li>${a}: ${r}</li>`).join('')}</ul>`,
  'a paragraph for each': (all) =>
    `<p>Your message could not be delivered to some recipients.</p>${all.map(([a, r]) => `<p><b>${a}</b><br>${r}</p>`).join('')}`,
  'a term for each': (all) =>
    `<p>Delivery has failed.</p><dl>${all.map(([a, r]) => `<dt>${a}</dt><dd>${r}</dd>`).join('')}</dl>`,
  'three rows for each': (all) =>
    `<p>Delivery has failed.</p><table>${all.map(([a, r]) => `<tr><td>Recipient</td><td>${a}</td></tr><tr><td>Status</td><td>failed</td></tr><tr><td>Reason</td><td>${r}</td></tr>`).join('')}</table>`,
}

const recipientsOf = (page: string): string[] => {
  const head = 'From: mailer-daemon@mx.example\nTo: news@sender.example\nSubject: Undeliverable: News'
  const mail = `${head}\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n<html><body>${page}</body></html>\n`
  return classify(Buffer.from(mail)).recipients.map(({ address, reason }) => `${address} ${reason}`)
}
/** As programs write it that break lines between tags. */
const inLines = (page: string): string =>
  page.replace(/(<\/?(?:p|t[dhr]|table|li|ul|d[dlt]|h\d|blockquote)[^>]*>)/g, '\n  $1\n')

describe('a page tells whom and why by', () => {
  for (const [how, write] of Object.entries(ofOne)) {
    it(how, () => {
      for (const [address, reply, reason] of told)
        for (const page of [write(address, reply), inLines(write(address, reply))])
          assert.deepEqual(recipientsOf(page), [`${address} ${reason}`])
    })
  }
  for (const [how, write] of Object.entries(ofSeveral)) {
    it(how, () => {
      const all = told.map(([address, reply]): Told => [address, reply])
      const expected = told.map(([address, , reason]) => `${address} ${reason}`)
      for (const page of [write(all), inLines(write(all))]) assert.deepEqual(recipientsOf(page), expected)
    })
  }
})
