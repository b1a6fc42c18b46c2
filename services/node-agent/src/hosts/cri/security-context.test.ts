import { describe, expect, test } from 'vitest'
import { containerSecurity, sandboxSecurity } from './security-context.ts'

const pod = (securityContext: object, more: object = {}): any => ({
  metadata: { name: 'p', namespace: 'n', uid: 'u' },
  spec: { securityContext, containers: [], ...more },
})
const of = (own: object, ofPod: object = {}, image: object = {}, more: object = {}) =>
  containerSecurity({
    pod: pod(ofPod, more),
    container: { name: 'main', image: 'x', resources: {}, securityContext: own } as never,
    image,
    profilesDir: '/profiles',
  })

describe('who a container is', () => {
  test('its own word counts before the pod’s, and that before the image’s', () => {
    expect(of({ runAsUser: 5 }, { runAsUser: 6 }, { uid: 7 }).runAsUser).toEqual({ value: 5 })
    expect(of({}, { runAsUser: 6, runAsGroup: 8 }, { uid: 7 })).toMatchObject({ runAsUser: { value: 6 }, runAsGroup: { value: 8 } })
    expect(of({}, {}, { uid: 7 }).runAsUser).toEqual({ value: 7 })
    expect(of({}, {}, { username: 'www' }).runAsUsername).toBe('www')
    expect(of({}, { fsGroup: 9, supplementalGroups: [10] }).supplementalGroups).toEqual([9, 10])
  })

  test.each([
    [{ runAsUser: 0 }, {}, "container's runAsUser breaks non-root policy"],
    [{}, {}, 'container has runAsNonRoot and image will run as root'],
    [{}, { uid: 0 }, 'container has runAsNonRoot and image will run as root'],
    [{}, { username: 'www' }, 'container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root'],
  ])('%j of an image of %j must not be root', (own, image, message) => {
    expect(() => of(own, { runAsNonRoot: true }, image)).toThrow(`${message} (pod: "p_n(u)", container: main)`)
  })

  test('who is somebody else may run', () => {
    expect(() => of({ runAsUser: 5 }, { runAsNonRoot: true })).not.toThrow()
    expect(() => of({}, { runAsNonRoot: true }, { uid: 5 })).not.toThrow()
  })
})

describe('what a container may', () => {
  test('nothing more unless it is said: no profile, hidden paths', () => {
    const plain = of({})
    expect(plain).toMatchObject({ privileged: false, noNewPrivs: false, readonlyRootfs: false, seccomp: { profileType: 'Unconfined' } })
    expect(plain.maskedPaths).toContain('/proc/kcore')
    expect(plain.readonlyPaths).toContain('/proc/sys')
  })

  test('a privileged one sees everything', () => {
    expect(of({ privileged: true, seccompProfile: { type: 'RuntimeDefault' } })).toMatchObject({
      ...{ privileged: true, maskedPaths: [], readonlyPaths: [], seccomp: { profileType: 'Unconfined' } },
    })
  })

  test('profiles are the container’s, else the pod’s; those of the node lie in its folder', () => {
    expect(of({}, { seccompProfile: { type: 'RuntimeDefault' } }).seccomp).toEqual({ profileType: 'RuntimeDefault' })
    expect(of({ seccompProfile: { type: 'Localhost', localhostProfile: 'a.json' } }, { seccompProfile: { type: 'RuntimeDefault' } }).seccomp).toEqual({
      profileType: 'Localhost',
      localhostRef: '/profiles/a.json',
    })
    expect(of({ allowPrivilegeEscalation: false }).noNewPrivs).toBe(true)
    expect(of({ capabilities: { add: ['A'], drop: ['ALL'] } }).capabilities).toEqual({ addCapabilities: ['A'], dropCapabilities: ['ALL'] })
  })
})

test('namespaces are the pod’s, the machine’s where it says so, and shared where it asks for that', () => {
  const options = (more: object) => sandboxSecurity(pod({}, more), '/profiles').namespaceOptions
  expect(options({})).toEqual({ network: 'POD', ipc: 'POD', pid: 'CONTAINER' })
  expect(options({ hostNetwork: true, hostIPC: true, hostPID: true })).toEqual({ network: 'NODE', ipc: 'NODE', pid: 'NODE' })
  expect(options({ shareProcessNamespace: true }).pid).toBe('POD')
  expect(options({ hostUsers: false }).usernsOptions).toMatchObject({ mode: 'POD', uids: [{ containerId: 0, length: 65_536 }] })
})
