/** All commands by name. Each runs in the states that RFC 9051 section 6 gives it. */
import { accountCommands } from './commands/account.ts'
import { copy, expunge, store } from './commands/change.ts'
import type { Command } from './commands/command.ts'
import { fetch } from './commands/fetch.ts'
import { search, sort, thread } from './commands/find.ts'
import { folderCommands } from './commands/folder.ts'
import { mailboxCommands } from './commands/mailbox.ts'

export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ...accountCommands,
    ...mailboxCommands,
    ...folderCommands,
    FETCH: fetch(false),
    'UID FETCH': fetch(true),
    STORE: store(false),
    'UID STORE': store(true),
    EXPUNGE: expunge(false),
    'UID EXPUNGE': expunge(true),
    SEARCH: search(false),
    'UID SEARCH': search(true),
    SORT: sort(false),
    'UID SORT': sort(true),
    THREAD: thread(false),
    'UID THREAD': thread(true),
    COPY: copy(false, false),
    'UID COPY': copy(true, false),
    MOVE: copy(false, true),
    'UID MOVE': copy(true, true),
  }),
)
