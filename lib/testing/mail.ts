/** A message of plain text, in whatever language. */
export const textMail = (from: string, subject: string, text: string, more: readonly string[] = []): Buffer =>
  Buffer.from(
    [
      `From: ${from}`,
      'To: news@sender.example',
      `Subject: =?utf-8?B?${Buffer.from(subject).toString('base64')}?=`,
      ...more,
      'Content-Type: text/plain; charset=utf-8',
      '',
      text,
      '',
    ].join('\r\n'),
  )
