// Names of storage drivers, wherever they stand.
import { invalidValue, required, tooLong } from '@shiplog/api/field-errors'
import type { StatusCause } from '@shiplog/api/status'
import { dns1123Subdomain } from './names.ts'

const driverCharactersMax = 63

export const validateDriverName = (driver: string | undefined, field: string): StatusCause[] => {
  if (!driver) return [required(field)]
  return [
    ...(driver.length > driverCharactersMax ? [tooLong(field, driverCharactersMax)] : []),
    ...dns1123Subdomain(driver.toLowerCase()).map((sentence) => invalidValue(field, driver, sentence)),
  ]
}
