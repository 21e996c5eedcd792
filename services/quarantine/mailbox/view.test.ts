import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readAll } from '#lib/log/read-all.ts'
import { MailweirError } from '#lib/runtime/errors.ts'
import { openTestPorts } from '#lib/testing/embedded.ts'
import { mailbox, startFacade } from '#lib/testing/imap.ts'
import type { Codec } from '#schemas/codec.ts'
import { MailboxView } from './view.ts'

describe('the view of mailboxes', { timeout: 60_000 }, () => {
  it('takes a batch whole or not at all, in memory too', async () => {
    await using ports = await openTestPorts()
    {
      await using facade = await startFacade(ports)
      await facade.store('Subject: 1\r\n\r\n1\r\n', 'Subject: 2\r\n\r\n2\r\n', 'Subject: 3\r\n\r\n3\r\n')
    }
    const all = await Array.fromAsync(readAll(ports.log, 'mail.index'))
    const records = all.filter(({ value }) => ports.codec.decode('index', value).mailbox === mailbox)
    assert.equal(records.length, 3)
    let decoded = 0
    let failsAt = 3
    const codec: Codec = {
      encode: ports.codec.encode,
      decode: (name, bytes) => {
        if (++decoded === failsAt)
          throw new MailweirError('RECORD_SCHEMA_UNKNOWN', 'it is being fetched', { retriable: true })
        return ports.codec.decode(name, bytes)
      },
    }
    const view = new MailboxView({ path: '', codec, logger: ports.logger, undecodable: () => assert.fail() })
    view.useEpoch(1)
    try {
      // The first batch makes the mailbox: it is not there when that fails.
      assert.throws(() => view.applyIndex(records), { code: 'RECORD_SCHEMA_UNKNOWN' })
      assert.equal(view.mailbox(mailbox), null)
      view.applyIndex(records.slice(0, 1))
      const known = view.mailbox(mailbox)
      failsAt = decoded + 2
      assert.throws(() => view.applyIndex(records.slice(1)))
      view.applyIndex(records.slice(1))
      assert.equal(view.mailbox(mailbox), known)
      assert.deepEqual([known?.messages, known?.unseen, known?.uidNext], [3, 3, 4])
      const roster = view.open(known?.id ?? 0)
      assert.deepEqual([...roster.uids.subarray(0, roster.length)], [1, 2, 3])
      assert.equal(view.expire(Date.UTC(2100, 0, 1)), 3)
      assert.equal(view.mailbox(mailbox), null)
    } finally {
      view.end()
    }
  })
})
