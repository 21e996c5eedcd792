/** All commands by name. Each runs in the states that RFC 9051 section 6 gives it. */
import { accountCommands } from './commands/account.ts'
import type { Command } from './commands/command.ts'
import { mailboxCommands } from './commands/mailbox.ts'
import { messageCommands } from './commands/message.ts'

export const commands: ReadonlyMap<string, Command> = new Map(
  Object.entries({ ...accountCommands, ...mailboxCommands, ...messageCommands }),
)
