import { provideUpstream } from '/work/wt/house/conformance/upstream/provide.ts'
for (const b of ['ginkgo','e2e.test','kube-scheduler']) console.log(await provideUpstream(b, console.log))
