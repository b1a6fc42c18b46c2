// What every program beside this one does (../README.md), with client-go.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const me = "client-go"

var saying sync.Mutex

type line map[string]any

func say(what line) {
	saying.Lock()
	defer saying.Unlock()
	text, err := json.Marshal(what)
	must(err)
	fmt.Println(string(text))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type program struct {
	client    kubernetes.Interface
	namespace string
}

func (p program) list(ctx context.Context) line {
	configMaps := p.client.CoreV1().ConfigMaps(p.namespace)
	for i := range 5 {
		labels := map[string]string{"page": "yes"}
		object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("page-%d", i), Labels: labels}}
		_, err := configMaps.Create(ctx, object, metav1.CreateOptions{})
		must(err)
	}
	names, pages, token := []string{}, 0, ""
	for {
		page, err := configMaps.List(ctx, metav1.ListOptions{LabelSelector: "page=yes", Limit: 2, Continue: token})
		must(err)
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		pages++
		if token = page.Continue; token == "" {
			return line{"names": names, "pages": pages}
		}
	}
}

func (p program) watch(ctx context.Context) line {
	configMaps := p.client.CoreV1().ConfigMaps(p.namespace)
	all, err := configMaps.List(ctx, metav1.ListOptions{})
	must(err)
	watching, err := configMaps.Watch(ctx, metav1.ListOptions{LabelSelector: "watched=yes", ResourceVersion: all.ResourceVersion})
	must(err)
	defer watching.Stop()
	labels := map[string]string{"watched": "yes"}
	created, err := configMaps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "watched", Labels: labels}}, metav1.CreateOptions{})
	must(err)
	created.Data = map[string]string{"a": "b"}
	_, err = configMaps.Update(ctx, created, metav1.UpdateOptions{})
	must(err)
	must(configMaps.Delete(ctx, "watched", metav1.DeleteOptions{}))
	events := []string{}
	for event := range watching.ResultChan() {
		events = append(events, fmt.Sprintf("%s %s", event.Type, event.Object.(*corev1.ConfigMap).Name))
		if event.Type == watch.Deleted {
			break
		}
	}
	return line{"events": events}
}

func (p program) patches(ctx context.Context) line {
	configMaps := p.client.CoreV1().ConfigMaps(p.namespace)
	deployments := p.client.AppsV1().Deployments(p.namespace)
	start := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "patched"}, Data: map[string]string{"start": "0"}}
	_, err := configMaps.Create(ctx, start, metav1.CreateOptions{})
	must(err)
	_, err = configMaps.Patch(ctx, "patched", types.JSONPatchType, []byte(`[{"op":"add","path":"/data/json","value":"1"}]`), metav1.PatchOptions{})
	must(err)
	_, err = configMaps.Patch(ctx, "patched", types.MergePatchType, []byte(`{"data":{"merge":"2","start":null}}`), metav1.PatchOptions{})
	must(err)
	labels := map[string]string{"app": "patched"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "patched"},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "x:1"}}},
			},
		},
	}
	_, err = deployments.Create(ctx, deployment, metav1.CreateOptions{})
	must(err)
	second := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"b","image":"y:1"}]}}}}`)
	_, err = deployments.Patch(ctx, "patched", types.StrategicMergePatchType, second, metav1.PatchOptions{})
	must(err)
	return line{}
}

func (p program) apply(ctx context.Context) line {
	wanted := applycorev1.ConfigMap("applied", p.namespace).WithData(map[string]string{"apply": "3"})
	for range 2 {
		_, err := p.client.CoreV1().ConfigMaps(p.namespace).Apply(ctx, wanted, metav1.ApplyOptions{FieldManager: me, Force: true})
		must(err)
	}
	return line{}
}

func (p program) evict(ctx context.Context) line {
	pods := p.client.CoreV1().Pods(p.namespace)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "evicted"},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers:                    []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10"}},
		},
	}
	_, err := pods.Create(ctx, pod, metav1.CreateOptions{})
	must(err)
	for {
		found, err := pods.Get(ctx, "evicted", metav1.GetOptions{})
		must(err)
		if found.Status.Phase == corev1.PodRunning {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	must(pods.EvictV1(ctx, &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: "evicted", Namespace: p.namespace}}))
	for {
		_, err := pods.Get(ctx, "evicted", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return line{}
		}
		must(err)
		time.Sleep(50 * time.Millisecond)
	}
}

func (p program) lease(ctx context.Context) line {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	elected := make(chan struct{})
	go leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Name: "leader", Namespace: p.namespace},
			Client:     p.client.CoordinationV1(),
			LockConfig: resourcelock.ResourceLockConfig{Identity: me},
		},
		LeaseDuration: 15 * time.Second,
		RenewDeadline: 10 * time.Second,
		RetryPeriod:   time.Second,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { close(elected) },
			OnStoppedLeading: func() {},
		},
	})
	<-elected
	leases := p.client.CoordinationV1().Leases(p.namespace)
	stale, err := leases.Get(ctx, "leader", metav1.GetOptions{})
	must(err)
	// Renewed at least once: what was read before is old then.
	for {
		current, err := leases.Get(ctx, "leader", metav1.GetOptions{})
		must(err)
		if current.Spec.RenewTime.After(stale.Spec.RenewTime.Time) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, err = leases.Update(ctx, stale, metav1.UpdateOptions{})
	if !apierrors.IsConflict(err) {
		must(fmt.Errorf("an update with an old version: %v", err))
	}
	return line{"conflict": 409}
}

func (p program) deleteCollection(ctx context.Context) line {
	must(p.client.CoreV1().ConfigMaps(p.namespace).DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "page=yes"}))
	return line{}
}

func (p program) inform(ctx context.Context) {
	factory := informers.NewSharedInformerFactoryWithOptions(p.client, 0,
		informers.WithNamespace(p.namespace),
		informers.WithTweakListOptions(func(options *metav1.ListOptions) { options.LabelSelector = "ledger=yes" }))
	informer := factory.Core().V1().ConfigMaps().Informer()
	ended := make(chan struct{})
	tell := func(event string, object any) {
		if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = gone.Obj
		}
		found := object.(*corev1.ConfigMap)
		say(line{"event": event, "name": found.Name, "version": found.ResourceVersion})
		if event == "add" && found.Name == "end" {
			close(ended)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { tell("add", object) },
		UpdateFunc: func(_, object any) { tell("update", object) },
		DeleteFunc: func(object any) { tell("delete", object) },
	})
	must(err)
	factory.Start(ctx.Done())
	<-ended
	held := map[string]string{}
	for _, object := range informer.GetStore().List() {
		found := object.(*corev1.ConfigMap)
		held[found.Name] = found.ResourceVersion
	}
	say(line{"cache": held})
}

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(err)
	// Protobuf both ways, and nothing else: the other clients speak JSON.
	config.ContentType, config.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf
	client, err := kubernetes.NewForConfig(config)
	must(err)
	p := program{client: client, namespace: os.Args[1]}
	ctx := context.Background()
	steps := []struct {
		name string
		run  func(context.Context) line
	}{
		{"list", p.list}, {"watch", p.watch}, {"patches", p.patches}, {"apply", p.apply},
		{"evict", p.evict}, {"lease", p.lease}, {"deletecollection", p.deleteCollection},
	}
	for _, step := range steps {
		said := step.run(ctx)
		said["step"] = step.name
		say(said)
	}
	p.inform(ctx)
	say(line{"done": true})
}
