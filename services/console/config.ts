/** Settings of the console. */
import { isLoopbackHost } from '#lib/runtime/listen.ts'
import * as setting from '#lib/runtime/settings.ts'

export const consoleSettings = {
  consoleListen: setting.listen('CONSOLE_LISTEN', '127.0.0.1:8080', { meaning: 'page, API, health and metrics' }),
  consoleToken: setting.text('CONSOLE_TOKEN', '', {
    meaning:
      'whoever asks for the page or the API has to know it (Bearer, or the password of Basic); needed where CONSOLE_LISTEN is not on loopback',
    secret: true,
  }),
  consoleDays: setting.integer('CONSOLE_DAYS', 30, {
    unit: 'days',
    min: 1,
    max: 3_650,
    meaning: 'how long the console remembers a message; mail.events has to be kept as long',
  }),
  consoleMessagesMax: setting.integer('CONSOLE_MESSAGES_MAX', 5_000_000, {
    unit: 'messages',
    min: 1_000,
    max: 1_000_000_000,
    meaning: 'and how many messages; the oldest go first, their counts stay',
  }),
} as const

export type ConsoleConfig = setting.Values<typeof consoleSettings>

/** A console that others can reach shows people's mail: it has to ask for a token. */
export function checkConsole(values: ConsoleConfig): readonly setting.Problem[] {
  if (values.consoleToken !== '' && !/^\S{16,}$/.test(values.consoleToken)) {
    return [
      { variable: 'CONSOLE_TOKEN', line: 'CONSOLE_TOKEN=(hidden): expected 16 characters or more, and no blanks' },
    ]
  }
  if (values.consoleToken === '' && !isLoopbackHost(values.consoleListen.host)) {
    return [
      {
        variable: 'CONSOLE_TOKEN',
        line: `CONSOLE_TOKEN is not set with CONSOLE_LISTEN on ${values.consoleListen.host}: expected a secret of 16 characters or more, because everybody's mail would be readable from outside`,
      },
    ]
  }
  return []
}
