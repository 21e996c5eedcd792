import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import type { Suppression } from '#schemas/types.ts'
import { audit, csvCell, type Finding, findingLine, readList, readLog } from '../audit.ts'
import { defaultAuditLog } from '../config.ts'
import { byPerson, type Cause, causesOf, defaultPolicy, isSuppressed, next, parsePolicy } from './policy.ts'

const dayMs = 86_400_000
const at = Date.UTC(2026, 10, 24)
const seen = (cause: Cause, n: number, day = 0) => ({
  address: 'a@b.example',
  cause,
  messageId: `m${n}`,
  at: at + day * dayMs,
})
const recipient = (permanent: boolean, reason = 'userunknown') => ({
  address: 'A@b.example',
  status: '',
  reason,
  permanent,
  reply: '',
})

describe('the policy', () => {
  it('counts hard bounces, complaints and opt-outs at once; what is delayed, automatic or delivered never', () => {
    const of = (kind: string, variant: string, permanent = true) =>
      causesOf({ type: 'classified', kind, variant, recipients: [recipient(permanent)] }).map(({ cause }) => cause)
    assert.deepEqual(of('bounce', 'hard'), ['hard-bounce'])
    assert.deepEqual(of('bounce', 'soft', false), ['soft-bounces'])
    assert.deepEqual(of('complaint', 'abuse'), ['complaint'])
    assert.deepEqual(of('opt-out', 'command'), ['opt-out'])
    for (const [kind, variant] of [
      ['bounce', 'delayed'],
      ['bounce', 'delivered'],
      ['bounce', 'relayed'],
      ['auto-reply', 'moved'],
      ['auto-reply', 'challenge'],
      ['reply', 'person'],
      ['report', 'dmarc'],
    ] as const) {
      assert.deepEqual(of(kind, variant), [], variant)
    }
  })

  it('suppresses after five soft bounces in two weeks, and lets that fade', () => {
    let state: Suppression | null = null
    for (let n = 0; n < 4; n++) state = next(state, seen('soft-bounces', n, n), defaultPolicy) ?? state
    assert.deepEqual([state?.state, state?.count], ['watched', 4])
    assert.equal(next(state, seen('soft-bounces', 3, 3), defaultPolicy), null, 'the same message once more')
    state = next(state, seen('soft-bounces', 4, 4), defaultPolicy)
    assert.equal(state?.state, 'suppressed')
    assert.ok(state !== null && isSuppressed(state, at + 20 * dayMs) && !isSuppressed(state, at + 40 * dayMs))
    const late = next(state, seen('soft-bounces', 9, 60), defaultPolicy)
    assert.deepEqual([late?.state, late?.count], ['watched', 1])
    assert.equal(next(state, seen('hard-bounce', 10, 5), defaultPolicy)?.cause, 'hard-bounce')
  })

  it('does not bring back by the same old bounce what a person lifted, but by a new one', () => {
    const first = next(null, seen('hard-bounce', 1), defaultPolicy)
    const lifted = byPerson(first, { address: 'a@b.example', state: 'lifted', at: at + dayMs, note: 'he called' })
    assert.equal(isSuppressed(lifted, at + dayMs), false)
    assert.equal(next(lifted, seen('hard-bounce', 1), defaultPolicy), null)
    assert.equal(next(lifted, seen('hard-bounce', 2, 0.5), defaultPolicy), null)
    assert.equal(next(lifted, seen('hard-bounce', 3, 2), defaultPolicy)?.state, 'suppressed')
  })

  it('is a setting that says what is wrong with it by refusing it', () => {
    assert.deepEqual(parsePolicy({ hard: 0, complaint: null, optOut: 30, soft: null })?.optOut, 30)
    for (const wrong of [
      null,
      1,
      {},
      { hard: -1, complaint: 0, optOut: 0, soft: null },
      { hard: 0, complaint: 0, optOut: 0, soft: { count: 0, days: 1, holds: 1 } },
    ]) {
      assert.equal(parsePolicy(wrong), null)
    }
  })
})

describe('the audit', () => {
  const known = (address: string, cause: Cause, since = at): Suppression => ({
    address,
    state: 'suppressed',
    cause,
    since,
    until: 0,
    count: 1,
    evidence: [`of ${address}`],
    note: '',
  })

  const campaignOf = (id: string): string => (/right|late/.test(id) ? 'november' : '')

  it('finds exactly what a list has too much, too little and too late', async () => {
    const book = new Map(
      [
        known('right@a.example', 'hard-bounce'),
        known('late@a.example', 'complaint'),
        known('missed@a.example', 'opt-out'),
        known('person@a.example', 'person'),
      ].map((entry) => [entry.address, entry]),
    )
    const list = `\ufeffEmail;Reason;Date\r\nright@a.example;bounce;2026-11-24T00:00:00Z\r\nLATE@a.example;"complaint, abuse";2026-11-26\r\nnothing@a.example;bounce;\r\nperson@a.example;manual;\r\n`
    const findings: Finding[] = []
    const summary = await audit(
      readList(Readable.from([Buffer.from(list)])),
      { get: (address) => book.get(address) ?? null, all: () => book.values(), campaignOf },
      (finding) => findings.push(finding),
    )
    assert.deepEqual(
      findings.map(({ address, finding }) => `${finding} ${address}`),
      [
        'supported right@a.example',
        'supported late@a.example',
        'unsupported nothing@a.example',
        'unsupported person@a.example',
        'missed missed@a.example',
      ],
    )
    assert.deepEqual([summary.listed, summary.supported, summary.unsupported, summary.missed], [4, 2, 2, 1])
    assert.deepEqual(summary.late, { count: 1, medianMs: 2 * dayMs, mostMs: 2 * dayMs })
    assert.deepEqual(summary.missedByCause, [{ cause: 'opt-out', addresses: 1 }])
    assert.deepEqual(summary.byCampaign, [
      { campaign: 'november', supported: 2, missed: 0 },
      { campaign: '', supported: 0, missed: 1 },
    ])
    assert.equal(
      findings.map(findingLine)[1],
      'late@a.example,supported,complaint,"complaint, abuse",november,48.00,of late@a.example\r\n',
    )
  })

  it('reads a log: the lines that suppress somebody, whatever else is in it', async () => {
    const read = async (log: string | string[], pattern = defaultAuditLog): Promise<string[]> => {
      const found: string[] = []
      const pieces = typeof log === 'string' ? [Buffer.from(log)] : log.map((piece) => Buffer.from(piece))
      for await (const { line, address, at, reason } of readLog(Readable.from(pieces), new RegExp(pattern, 'iu')))
        found.push([line, address, at === null ? '' : new Date(at).toISOString(), reason].join(' '))
      return found
    }
    const log = [
      '2026-11-24T10:00:00Z bounced a@x.example: 550 no',
      '2026-11-24T10:00:01Z INFO suppressed address=<A@x.example> reason=hard-bounce; run 7',
      'unsubscribe of b@x.example',
      'nothing to see',
      '2026-11-25 11:00:00+00:00 blacklisting c@x.example, reason: complaint',
      `suppressed ${'x'.repeat(5_000)} late@x.example`,
      'suppressed nobody at all',
      'deactivated d@x.example',
    ].join('\r\n')
    const expected = [
      '2 a@x.example 2026-11-24T10:00:01.000Z hard-bounce',
      '3 b@x.example  ',
      '5 c@x.example 2026-11-25T11:00:00.000Z complaint',
      '8 d@x.example  ',
    ]
    assert.deepEqual(await read(log), expected)
    assert.deepEqual(await read([...log]), expected)
    assert.deepEqual(await read('x;e@x.example\ny;f@x.example\n', '^y;(?<address>.*)'), ['2 f@x.example  '])
    for (const hostile of ['suppress '.repeat(100_000), `suppress ${'a'.repeat(100_000)}`, '\n'.repeat(100_000)]) {
      assert.deepEqual(await read(hostile), [])
    }
  })

  it('names line and column of what is wrong with a list', async () => {
    const read = async (list: string): Promise<string> => {
      try {
        for await (const _ of readList(Readable.from([Buffer.from(list)])));
        return 'fine'
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      }
    }
    assert.equal(await read('email\na@b.example\n'), 'fine')
    assert.match(await read(''), /line 1, column 1: the list is empty/)
    assert.match(await read('name\nx\n'), /line 1, column 1: expected a header line/)
    assert.match(
      await read('email,date\na@b.example,2026-01-01\nnone,2026-01-01\n'),
      /line 3, column 1: "none" is no address/,
    )
    assert.match(await read('email,date\na@b.example,soon\n'), /line 2, column 2: "soon" is no time/)
    assert.match(await read('email,date\na@b.example,2026-01-01,more\n'), /line 2/)
    assert.match(await read('email\n"a@b.example\n'), /line \d/)
    assert.match(await read(`email\n${'x'.repeat(100_000)}\n`), /line/)
  })

  it('writes no cell that a spreadsheet would run', () => {
    assert.deepEqual(['=1+1', '+1', '-1', '@x', 'a,b', 'say "x"', 'plain'].map(csvCell), [
      "'=1+1",
      "'+1",
      "'-1",
      "'@x",
      '"a,b"',
      '"say ""x"""',
      'plain',
    ])
  })
})
