import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseSchedule, type Schedule } from './schedule.ts'

interface Recorded {
  readonly schedule: string
  readonly zone: string
  readonly after: number
  /** The next four times; fewer when there are no more. */
  readonly next?: readonly number[]
  readonly problem?: string
}

/** What robfig/cron v3.0.1 said, with Go's database of time zones. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'robfig-answers.json'), 'utf8')) as Recorded[]

function timesOf(schedule: Schedule, after: number, count = 4): number[] {
  const times: number[] = []
  for (let at: number | undefined = after; times.length < count; ) {
    at = schedule.next(at)
    if (at === undefined) break
    times.push(at)
  }
  return times
}

test('every schedule fires when robfig/cron lets it fire, in every zone and across every change of the clock', () => {
  const different = recorded.filter(({ schedule, zone, after, next = [], problem }) => {
    const parsed = parseSchedule(`TZ=${zone} ${schedule}`)
    if ('problem' in parsed) return parsed.problem !== problem
    return problem !== undefined || timesOf(parsed.schedule, after).join() !== next.join()
  })
  expect(different.slice(0, 5)).toEqual([])
  expect(recorded.length).toBeGreaterThan(1_000)
})

// Around a change of the clock the answers of robfig/cron depend on where the search begins.
describe('whatever the schedule, without changes of the clock', () => {
  const valid = recorded.filter(({ problem }) => problem === undefined)

  test('times rise, and the next after a time just before one is that one', () => {
    for (const { schedule, after } of valid) {
      const parsed = parseSchedule(schedule)
      if ('problem' in parsed || schedule.startsWith('@every')) continue
      const times = timesOf(parsed.schedule, after)
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      for (const time of times) expect(parsed.schedule.next(time - 0.5), schedule).toBe(time)
    }
  })

  test('the zone is UTC when none is named, and the one that is given otherwise', () => {
    const next = (text: string, zone?: string): number | undefined => {
      const parsed = parseSchedule(text, zone)
      return 'problem' in parsed ? undefined : parsed.schedule.next(1_700_000_000)
    }
    expect(next('0 12 * * *')).toBe(Date.parse('2023-11-15T12:00:00Z') / 1000)
    expect(next('0 12 * * *', 'Asia/Kathmandu')).toBe(Date.parse('2023-11-15T06:15:00Z') / 1000)
    expect(parseSchedule('0 12 * * *', 'Mars/Phobos')).toEqual({
      problem: 'provided bad location Mars/Phobos: unknown time zone Mars/Phobos',
    })
  })
})
