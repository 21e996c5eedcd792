/**
 * Free ports of the loopback address, below those that the system gives to connections: between the look and the listening nobody else
 * gets one of them. Each process has a hundred of its own, in turn, as long as it lives: it listens on the last of them, so that no
 * other takes the same, nor tries one of them while what listens there is killed and started again.
 */
import { createServer, type Server } from 'node:net'

const first = 11_000
const slots = 200
const each = 100
let claimed: Promise<number> | null = null
let turn = 0

export async function freePort(): Promise<number> {
  claimed ??= claim()
  const base = await claimed
  for (let tries = 0; tries < each - 1; tries++) {
    const port = base + (turn++ % (each - 1))
    const server = await listenOn(port)
    if (server === null) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error(`none of the ports ${base} to ${base + each - 2} is free`)
}

/** The first of a hundred that no other process has. */
async function claim(): Promise<number> {
  for (let n = 0; n < slots; n++) {
    const base = first + ((process.pid + n) % slots) * each
    const guard = await listenOn(base + each - 1)
    if (guard === null) continue
    guard.unref()
    return base
  }
  throw new Error(`no hundred of the ports from ${first} on is free`)
}

/** null: another program listens there. */
const listenOn = (port: number): Promise<Server | null> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
