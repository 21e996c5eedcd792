import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Database } from '#lib/runtime/database.ts'
import { event } from '#schemas/events.ts'
import type { Event } from '#schemas/types.ts'
import { Outcomes } from './outcomes.ts'

const told = (more: Partial<Event>): Event =>
  event({
    messageId: 'm',
    type: 'forwarded',
    at: 60_000,
    service: 'forward',
    position: { partition: 0, offset: 0 },
    ...more,
  })

describe('outcomes', () => {
  it('are summed by host, with means over what was taken and the last refusal', () => {
    const outcomes = new Outcomes(new Database(''))
    outcomes.count(told({ host: 'a:25', addedDelayMs: 10, legacyMs: 4 }))
    outcomes.count(told({ host: 'a:25', addedDelayMs: 30, legacyMs: 8, at: 120_000 }))
    outcomes.count(told({ host: 'a:25', type: 'deferred', reply: '451 later', at: 130_000 }))
    outcomes.count(told({ host: 'a:25', type: 'rejected', reply: '550 no', at: 140_000 }))
    outcomes.count(told({ host: 'hook', type: 'routed', service: 'route-x', detail: 'given up' }))
    outcomes.count(told({ host: 'a:25', type: 'stored' }))
    outcomes.count(told({ type: 'deferred' }))
    const [first, second, ...none] = outcomes.since(0)
    assert.deepEqual(
      [first, second?.service, second?.refused, none],
      [
        {
          service: 'forward',
          host: 'a:25',
          taken: 2,
          deferred: 1,
          refused: 1,
          addedDelayMs: 20,
          legacyMs: 6,
          lastRefusal: '550 no',
          lastRefusalAt: 140_000,
        },
        'route-x',
        1,
        [],
      ],
    )
    assert.equal(outcomes.since(120_000)[0]?.taken, 1)
    outcomes.forget(120_000)
    assert.equal(outcomes.since(0)[0]?.taken, 1)
  })

  it('of more hosts than settings name are counted together', () => {
    const outcomes = new Outcomes(new Database(''))
    for (let n = 0; n < 1_000; n++) outcomes.count(told({ host: `h${n}` }))
    const all = outcomes.since(0)
    assert.equal(all.length, 200)
    const sum = all.reduce((total, { taken }) => total + taken, 0)
    assert.ok(all[0]?.host === 'other' && all[0].taken > 700 && sum >= 800, `${all[0]?.host} ${sum}`)
  })
})
