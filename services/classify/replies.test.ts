/** What mail systems say, by their sources and their own pages, and what it means: `golden/replies.json`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Command, commandOf } from './bounce/command.ts'
import { readCodes } from './bounce/notice.ts'
import { findReason } from './reason.ts'

type Said = {
  /** A system, or the host that refused. */
  readonly by: string
  readonly host: string
  /** The enhanced code and the command, where the words leave them out. */
  readonly replies: readonly {
    readonly reason: string
    readonly text: string
    readonly command?: Command
    readonly status?: string
  }[]
}

const all = JSON.parse(readFileSync(join(import.meta.dirname, 'golden', 'replies.json'), 'utf8')) as readonly Said[]

describe('what is said by', () => {
  for (const { by, host, replies } of all) {
    it(by, () => {
      for (const { reason, text, command, status } of replies) {
        const codes = readCodes(text)
        const found = findReason({
          action: 'failed',
          status: status ?? codes.status,
          reply: codes.reply,
          command: command ?? commandOf(text),
          host,
          texts: [text],
        })
        assert.equal(found.reason, reason, text)
      }
    })
  }
})
