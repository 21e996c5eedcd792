/**
 * Free ports of the loopback address, below those that the system gives to connections: between the look and the listening nobody else
 * gets one of them. Each process has a hundred of its own, in turn.
 */
import { createServer } from 'node:net'

const first = 11_000
const slots = 200
const each = 100
const base = first + (process.pid % slots) * each
let turn = 0

export async function freePort(): Promise<number> {
  for (let tries = 0; tries < each; tries++) {
    const port = base + (turn++ % each)
    if (await isFree(port)) return port
  }
  throw new Error(`none of the ports ${base} to ${base + each - 1} is free`)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
