import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classifyGroup } from '#services/classify/service.ts'
import { forwardGroup } from '#services/forward/service.ts'
import { quarantineGroup } from '#services/quarantine/service.ts'
import { groups } from './services.ts'

describe('the groups of the ledger', () => {
  it('are those of the services', () => {
    assert.deepEqual(groups, { forward: forwardGroup, classify: classifyGroup, quarantine: quarantineGroup })
  })
})
