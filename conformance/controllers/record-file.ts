// How the record of controllers is kept: what pictures show is written once, however many of them show it, and pictures point
// at it. Unpacked it is several times as large.
import type { Record as Recorded } from './differences.ts'
import type { Picture } from './picture.ts'

type Records = Readonly<Record<string, Recorded>>

export interface PackedRecords {
  readonly texts: readonly string[]
  readonly scenarios: Readonly<
    Record<
      string,
      { readonly steps: unknown; readonly pictures: readonly Readonly<Record<string, readonly number[]>>[] }
    >
  >
}

const mapValues = <From, To>(given: Readonly<Record<string, From>>, change: (value: From) => To): Record<string, To> =>
  Object.fromEntries(Object.entries(given).map(([key, value]) => [key, change(value)]))

export function packRecords(records: Records): PackedRecords {
  const places = new Map<string, number>()
  const placeOf = (text: string): number => {
    const known = places.get(text)
    if (known !== undefined) return known
    places.set(text, places.size)
    return places.size - 1
  }
  const scenarios = mapValues(records, ({ steps, pictures }) => ({
    steps,
    pictures: pictures.map((picture) => mapValues(picture, (texts) => texts.map(placeOf))),
  }))
  return { texts: [...places.keys()], scenarios }
}

export const unpackRecords = ({ texts, scenarios }: PackedRecords): Record<string, Recorded> =>
  mapValues(scenarios, ({ steps, pictures }) => ({
    steps: steps as Recorded['steps'],
    pictures: pictures.map((picture): Picture => mapValues(picture, (places) => places.map((place) => texts[place]!))),
  }))

/** As it is written: a text or a scenario a line, so that a change shows where it is. */
export function recordText(records: Records): string {
  const { texts, scenarios } = packRecords(records)
  const lines = Object.entries(scenarios).map(([id, scenario]) => `${JSON.stringify(id)}:${JSON.stringify(scenario)}`)
  return `{"texts":[\n${texts.map((text) => JSON.stringify(text)).join(',\n')}\n],"scenarios":{\n${lines.join(',\n')}\n}}\n`
}
