/**
 * Notices as mail systems word them, in their languages, written after their documentation: whom each names, and why
 * (`golden/notices.json`). Every one comes with a null reverse-path, as text alone.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classify } from '../classify.ts'
import samples from '../golden/notices.json' with { type: 'json' }

type Sample = (typeof samples)[number]

function mail({ from, subject, body, returnedTo = '' }: Sample): Buffer {
  const head = [
    `From: ${from}`,
    'To: bounces@news.sender.example',
    `Subject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=`,
    'Date: Mon, 2 Nov 2020 10:00:00 +0000',
    'MIME-Version: 1.0',
  ]
  const text = ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: 8bit', '', body]
  const returned = ['From: News <news@sender.example>', `To: ${returnedTo}`, 'Subject: News', '', 'Hello']
  const parts = ['--b', ...text, '--b', 'Content-Type: message/rfc822', '', ...returned, '--b--', '']
  const lines =
    returnedTo === '' ? [...head, ...text] : [...head, 'Content-Type: multipart/mixed; boundary=b', '', ...parts]
  return Buffer.from(lines.join('\n').replaceAll('\n', '\r\n'))
}

describe('notices in words', () => {
  for (const sample of samples) {
    it(`${sample.name}: ${sample.reason}`, () => {
      const { kind, recipients } = classify(mail(sample), {
        reversePath: '',
        forwardPaths: [{ address: 'bounces@news.sender.example', parameters: {} }],
      })
      assert.equal(kind, 'bounce')
      assert.deepEqual(recipients.map(({ address }) => address).toSorted(), sample.to.toSorted())
      assert.deepEqual([...new Set(recipients.map(({ reason }) => reason))], [sample.reason])
    })
  }
})
