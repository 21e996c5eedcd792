/** Questions to the API, and hooks that ask again when there is news. */
import { useEffect, useState } from '/vendor/preact.js'

/** @returns the JSON of an answer; throws an Error with what the API says is wrong */
export async function ask(path, options = {}) {
  const response = await fetch(path, { headers: { accept: 'application/json', ...options.headers }, ...options })
  const body = await response.json()
  if (!response.ok) throw new Error(body.error ?? `${response.status}`)
  return body
}

/** Changes something: JSON there and back. */
export const change = (path, method, body) =>
  ask(path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** What a person did, and what came of it: `[{ error, done }, act]`; `act(work, tell)` tells what the answer means, and gives whether it worked. */
export function useDoing() {
  const [said, setSaid] = useState({ error: null, done: '' })
  const act = async (work, tell) => {
    try {
      setSaid({ error: null, done: tell(await work()) })
      return true
    } catch (problem) {
      setSaid({ error: problem.message, done: '' })
      return false
    }
  }
  return [said, act]
}

const listeners = new Set()
let connected = false

/** Hears of news by server-sent events; a lost connection is made again by the browser. */
function connect() {
  if (connected) return
  connected = true
  const source = new EventSource('/api/events')
  source.addEventListener('change', () => {
    for (const listener of listeners) listener()
  })
}

/**
 * The answer to a question, asked again when there is news, and every so often where `everyMs` is given; `error` where it went wrong. Null: no
 * question.
 */
export function useAnswer(path, { live = true, version = 0, everyMs = null } = {}) {
  const [state, setState] = useState({ path: null, data: null, error: null })
  useEffect(() => {
    if (path === null) return setState({ path, data: null, error: null })
    let over = false
    let asking = false
    let again = false
    const load = async () => {
      if (asking) {
        again = true
        return
      }
      asking = true
      try {
        const data = await ask(path)
        if (!over) setState({ path, data, error: null })
      } catch (error) {
        if (!over) setState((before) => ({ ...before, path, error: error.message }))
      }
      asking = false
      if (again && !over) {
        again = false
        load()
      }
    }
    load()
    if (live) {
      connect()
      listeners.add(load)
    }
    const timer = everyMs === null ? null : setInterval(load, everyMs)
    return () => {
      over = true
      listeners.delete(load)
      clearInterval(timer)
    }
  }, [path, live, version, everyMs])
  return state
}
