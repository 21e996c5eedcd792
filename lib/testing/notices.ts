/** Notices in words, of many mail systems (`services/classify/golden/notices.json`), as mail. */
import samples from '#services/classify/golden/notices.json' with { type: 'json' }

export { samples }
export type Sample = (typeof samples)[number]

/** As the mail of a system that names itself, with what it returns where `returnedTo` says to whom that was sent. */
export function mail({ from, subject, body, returnedTo = '' }: Omit<Sample, 'name' | 'to' | 'reason'>): Buffer {
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
