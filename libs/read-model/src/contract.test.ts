// The contract as generated: names and types that people rely on, and the reference that is printed of it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtInRegistry } from '@shiplog/api/schema/registry'
import { describe, expect, test } from 'vitest'
import { reservedNames, snakeCase } from './columns.ts'
import { contractOf, contractSql } from './contract.ts'
import { referenceOf } from './reference.ts'

const contract = contractOf(builtInRegistry())
const typesOf = (view: string): Record<string, string> =>
  Object.fromEntries(contract.views.find(({ name }) => name === view)!.columns.map(({ name, type }) => [name, type]))

test.each([
  ['nodeName', 'node_name'],
  ['clusterIP', 'cluster_ip'],
  ['clusterIPs', 'cluster_ips'],
  ['podIPs', 'pod_ips'],
  ['hostPID', 'host_pid'],
  ['setHostnameAsFQDN', 'set_hostname_as_fqdn'],
  ['externalTrafficPolicy', 'external_traffic_policy'],
  ['podCIDRs', 'pod_cidrs'],
  ['providerID', 'provider_id'],
])('%s is %s in SQL', (field, column) => expect(snakeCase(field)).toBe(column))

describe('the contract', () => {
  test('has a view for every stored kind, and a past for every kind that does not age', () => {
    const kinds = builtInRegistry().resources.filter(
      (resource) =>
        resource.stored && resource.version === resource.storageVersion && resource.group === resource.storageGroup,
    )
    const views = new Set(contract.views.map(({ name }) => name))
    expect(kinds.length).toBeGreaterThan(50)
    for (const { resource } of kinds) {
      expect(views).toContain(resource)
      expect(views.has(`${resource}_history`)).toBe(resource !== 'events' && resource !== 'leases')
    }
  })

  test('gives fields the types that they have', () => {
    expect(typesOf('pods')).toMatchObject({
      namespace: 'text',
      name: 'text',
      sequence: 'bigint',
      labels: 'jsonb',
      created_at: 'timestamptz',
      node_name: 'text',
      phase: 'text',
      host_network: 'boolean',
      priority: 'bigint',
      start_time: 'timestamptz',
      conditions: 'jsonb',
      cpu_requests: 'numeric',
      payload: 'bytea',
      sha256: 'bytea',
    })
    expect(typesOf('deployments')).toMatchObject({ replicas: 'bigint', status_replicas: 'bigint', selector: 'jsonb' })
    expect(typesOf('nodes')).not.toHaveProperty('namespace')
    expect(typesOf('leases')).toMatchObject({ holder_identity: 'text', renew_time: 'timestamptz' })
    expect(typesOf('configmaps')).toMatchObject({ data: 'jsonb', immutable: 'boolean' })
    expect(typesOf('poddisruptionbudgets')).toMatchObject({ min_available: 'text', disruptions_allowed: 'bigint' })
  })

  test('no view has two columns of a name, and each column has a comment', () => {
    for (const { name, columns, comment } of contract.views) {
      const names = columns.map((column) => column.name)
      expect([name, names.length]).toEqual([name, new Set(names).size])
      expect(comment).not.toBe('')
      for (const column of columns) {
        expect(column.comment).not.toBe('')
        expect(column.name).toMatch(/^[a-z][a-z0-9_]{0,62}$/)
      }
    }
    expect(reservedNames).toContain('valid')
  })

  test('replaces and never drops, so that PostgreSQL refuses what would break a reader', () => {
    expect(contractSql(contract)).not.toMatch(/\bdrop\b/i)
  })

  test('is what docs/sql-reference.md says (SHIPLOG_UPDATE=1 writes it)', () => {
    const file = join(import.meta.dirname, '../../../docs/sql-reference.md')
    if (process.env['SHIPLOG_UPDATE'] === '1') writeFileSync(file, referenceOf(contract))
    expect(readFileSync(file, 'utf8')).toBe(referenceOf(contract))
  })
})
