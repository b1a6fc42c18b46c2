package operator

// The suite of an operator, with envtest as any project has it: nothing in it knows that the control plane is a Shiplog.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

var (
	environment *envtest.Environment
	config      *rest.Config
	scheme      = runtime.NewScheme()
	// direct reads from the server, cached from the manager's cache.
	direct client.Client
	cached client.Client
	names  atomic.Int64
)

const (
	deadline = 60 * time.Second
	poll     = 50 * time.Millisecond
)

func TestMain(m *testing.M) {
	log.SetLogger(zap.New(zap.UseDevMode(true), zap.WriteTo(os.Stderr)))
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, AddToScheme} {
		if err := add(scheme); err != nil {
			return 1, err
		}
	}
	environment = &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("config")},
		ErrorIfCRDPathMissing: true,
	}
	if config, err = environment.Start(); err != nil {
		return 1, err
	}
	defer func() {
		if stopped := environment.Stop(); stopped != nil && err == nil {
			err = stopped
		}
	}()
	if direct, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 1, err
	}
	operator, err := newManager("sites", ctrl.Options{})
	if err != nil {
		return 1, err
	}
	cached = operator.GetClient()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- operator.Start(ctx) }()
	defer func() {
		cancel()
		if stopped := <-ended; stopped != nil && err == nil {
			err = stopped
		}
	}()
	return m.Run(), nil
}

func newManager(name string, options ctrl.Options) (manager.Manager, error) {
	options.Scheme = scheme
	options.Metrics = metricsserver.Options{BindAddress: "0"}
	operator, err := ctrl.NewManager(config, options)
	if err != nil {
		return nil, err
	}
	err = operator.GetFieldIndexer().IndexField(context.Background(), &Site{}, "spec.host", func(object client.Object) []string {
		return []string{object.(*Site).Spec.Host}
	})
	if err != nil {
		return nil, err
	}
	reconciler := &Reconciler{Client: operator.GetClient(), Recorder: operator.GetEventRecorder("site-operator")}
	return operator, reconciler.SetupWithManager(operator, name)
}

func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(poll) {
		if err = check(); err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func namespace(t *testing.T) string {
	t.Helper()
	made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "suite-"}}
	if err := direct.Create(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	return made.Name
}

func newSite(namespace string) *Site {
	name := fmt.Sprintf("site-%d", names.Add(1))
	return &Site{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		Spec:       SiteSpec{Host: "shop.example", Pages: []Page{{Path: "index", Text: "hello"}}},
	}
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := direct.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func condition(site *Site) error {
	key := client.ObjectKeyFromObject(site)
	if err := direct.Get(context.Background(), key, site); err != nil {
		return err
	}
	if site.Status.ObservedGeneration != site.Generation {
		return fmt.Errorf("observed %d of %d", site.Status.ObservedGeneration, site.Generation)
	}
	return nil
}

func TestSchemaDefaultsAndRules(t *testing.T) {
	space := namespace(t)
	site := newSite(space)
	create(t, site)
	if site.Spec.Replicas == nil || *site.Spec.Replicas != 1 {
		t.Fatalf("no default: %v", site.Spec.Replicas)
	}
	five := int32(5)
	for want, wrong := range map[string]func(*Site){
		"only example hosts may be large": func(s *Site) { s.Spec.Host, s.Spec.Replicas = "shop.test", &five },
		"should match '^[a-z.-]+$'":       func(s *Site) { s.Spec.Host = "SHOP" },
		"Duplicate value":                 func(s *Site) { s.Spec.Pages = []Page{{Path: "a"}, {Path: "a"}} },
	} {
		bad := newSite(space)
		wrong(bad)
		err := direct.Create(t.Context(), bad)
		if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	eventually(t, "host is immutable", func() error {
		if err := direct.Get(t.Context(), client.ObjectKeyFromObject(site), site); err != nil {
			return err
		}
		site.Spec.Host = "other.example"
		err := direct.Update(t.Context(), site)
		if apierrors.IsInvalid(err) && strings.Contains(err.Error(), "host is immutable") {
			return nil
		}
		return fmt.Errorf("got %v", err)
	})
}

func TestReconcilesChildrenAndStatus(t *testing.T) {
	site := newSite(namespace(t))
	create(t, site)
	eventually(t, "status", func() error { return condition(site) })
	if ready := meta.FindStatusCondition(site.Status.Conditions, "Ready"); ready == nil || ready.Status != metav1.ConditionFalse {
		t.Fatalf("conditions: %v", site.Status.Conditions)
	}
	key := client.ObjectKeyFromObject(site)
	server := &appsv1.Deployment{}
	if err := cached.Get(t.Context(), key, server); err != nil {
		t.Fatal(err)
	}
	if !metav1.IsControlledBy(server, site) || len(server.ManagedFields) == 0 || server.ManagedFields[0].Manager != "site-operator" {
		t.Fatalf("owners %v, managers %v", server.OwnerReferences, server.ManagedFields)
	}
	// What a kubelet and controllers would say.
	server.Status = appsv1.DeploymentStatus{ObservedGeneration: server.Generation, Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	if err := direct.Status().Update(t.Context(), server); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ready", func() error {
		if err := condition(site); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(site.Status.Conditions, "Ready") || site.Status.Replicas != 1 {
			return fmt.Errorf("status %+v", site.Status)
		}
		return nil
	})
	generation := site.Generation
	if generation != 1 {
		t.Fatalf("a status write moved the generation to %d", generation)
	}
}

func TestRestoresWhatOthersChange(t *testing.T) {
	site := newSite(namespace(t))
	create(t, site)
	key := client.ObjectKeyFromObject(site)
	content := &corev1.ConfigMap{}
	eventually(t, "content", func() error { return direct.Get(t.Context(), key, content) })
	first := content.UID
	if err := direct.Delete(t.Context(), content); err != nil {
		t.Fatal(err)
	}
	eventually(t, "made again", func() error {
		if err := direct.Get(t.Context(), key, content); err != nil {
			return err
		}
		if content.UID == first {
			return fmt.Errorf("still the first")
		}
		return nil
	})
	// Its own field is taken back; a field of somebody else stays.
	patch := client.RawPatch(types.MergePatchType, []byte(`{"data":{"index":"mine","other":"kept"}}`))
	if err := direct.Patch(t.Context(), content, patch, client.FieldOwner("somebody")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "taken back", func() error {
		if err := direct.Get(t.Context(), key, content); err != nil {
			return err
		}
		if content.Data["index"] != "hello" || content.Data["other"] != "kept" {
			return fmt.Errorf("data %v", content.Data)
		}
		return nil
	})
}

func TestApplyConflicts(t *testing.T) {
	space := namespace(t)
	apply := func(value string, owner string, options ...client.ApplyOption) error {
		content := coreapply.ConfigMap("shared", space).WithData(map[string]string{"a": value})
		return direct.Apply(context.Background(), content, append(options, client.FieldOwner(owner))...)
	}
	if err := apply("1", "first"); err != nil {
		t.Fatal(err)
	}
	if err := apply("2", "second"); !apierrors.IsConflict(err) || !strings.Contains(err.Error(), `conflict with "first"`) {
		t.Fatalf("got %v", err)
	}
	if err := apply("2", "second", client.ForceOwnership); err != nil {
		t.Fatal(err)
	}
	if err := apply("2", "first"); err != nil {
		t.Fatalf("the same value is shared: %v", err)
	}
}

func TestOptimisticLock(t *testing.T) {
	content := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "locked", Namespace: namespace(t)}}
	create(t, content)
	stale := content.DeepCopy()
	content.Data = map[string]string{"a": "1"}
	if err := direct.Update(t.Context(), content); err != nil {
		t.Fatal(err)
	}
	changed := stale.DeepCopy()
	changed.Data = map[string]string{"a": "2"}
	err := direct.Patch(t.Context(), changed, client.MergeFromWithOptions(stale, client.MergeFromWithOptimisticLock{}))
	if !apierrors.IsConflict(err) {
		t.Fatalf("got %v", err)
	}
	if err := direct.Patch(t.Context(), changed, client.StrategicMergeFrom(stale)); err != nil {
		t.Fatal(err)
	}
	if err := direct.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "locked", Namespace: content.Namespace}}); !apierrors.IsAlreadyExists(err) {
		t.Fatalf("got %v", err)
	}
}

func TestFinalizerEndsWhatIsElsewhere(t *testing.T) {
	site := newSite(namespace(t))
	create(t, site)
	record := client.ObjectKey{Namespace: RecordNamespace, Name: RecordName(site)}
	eventually(t, "record", func() error { return direct.Get(t.Context(), record, &corev1.ConfigMap{}) })
	if err := direct.Delete(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	eventually(t, "gone", func() error {
		if err := direct.Get(t.Context(), client.ObjectKeyFromObject(site), site); !apierrors.IsNotFound(err) {
			return fmt.Errorf("finalizers %v, %v", site.Finalizers, err)
		}
		if err := direct.Get(t.Context(), record, &corev1.ConfigMap{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("record: %v", err)
		}
		return nil
	})
}

func TestCacheIndexesAndSelects(t *testing.T) {
	space := namespace(t)
	for _, host := range []string{"one.example", "two.example", "one.example"} {
		site := newSite(space)
		site.Spec.Host = host
		site.Labels = map[string]string{"host": strings.TrimSuffix(host, ".example")}
		create(t, site)
	}
	for what, options := range map[string][]client.ListOption{
		"index":  {client.InNamespace(space), client.MatchingFields{"spec.host": "one.example"}},
		"labels": {client.InNamespace(space), client.MatchingLabels{"host": "one"}},
	} {
		eventually(t, what, func() error {
			found := &SiteList{}
			if err := cached.List(t.Context(), found, options...); err != nil {
				return err
			}
			if len(found.Items) != 2 {
				return fmt.Errorf("%d", len(found.Items))
			}
			return nil
		})
	}
	// The server selects by the same field.
	found := &SiteList{}
	selector := client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("spec.host", "two.example")}
	if err := direct.List(t.Context(), found, client.InNamespace(space), selector); err != nil || len(found.Items) != 1 {
		t.Fatalf("%d, %v", len(found.Items), err)
	}
}

func TestListsInChunksAndMetadataAlone(t *testing.T) {
	space := namespace(t)
	for i := range 25 {
		create(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("chunk-%02d", i), Namespace: space}, Data: map[string]string{"a": "b"}})
	}
	seen, token := 0, ""
	for {
		page := &corev1.ConfigMapList{}
		if err := direct.List(t.Context(), page, client.InNamespace(space), client.Limit(10), client.Continue(token)); err != nil {
			t.Fatal(err)
		}
		seen += len(page.Items)
		if token = page.Continue; token == "" {
			break
		}
	}
	if seen != 25 {
		t.Fatalf("seen %d", seen)
	}
	bare := &metav1.PartialObjectMetadataList{}
	bare.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	if err := direct.List(t.Context(), bare, client.InNamespace(space)); err != nil || len(bare.Items) != 25 {
		t.Fatalf("%d, %v", len(bare.Items), err)
	}
	if err := direct.DeleteAllOf(t.Context(), &corev1.ConfigMap{}, client.InNamespace(space)); err != nil {
		t.Fatal(err)
	}
}

func TestWatches(t *testing.T) {
	watching, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for what, list := range map[string]client.ObjectList{"sites": &SiteList{}, "configmaps": &corev1.ConfigMapList{}} {
		t.Run(what, func(t *testing.T) {
			space := namespace(t)
			changes, err := watching.Watch(t.Context(), list, client.InNamespace(space))
			if err != nil {
				t.Fatal(err)
			}
			defer changes.Stop()
			var object client.Object = &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "watched", Namespace: space}}
			if what == "sites" {
				object = newSite(space)
			}
			create(t, object)
			select {
			case change := <-changes.ResultChan():
				if change.Type != "ADDED" || change.Object.(client.Object).GetName() != object.GetName() {
					t.Fatalf("%v %v", change.Type, change.Object)
				}
			case <-time.After(deadline):
				t.Fatal("nothing came")
			}
		})
	}
}

func TestRecordsEvents(t *testing.T) {
	site := newSite(namespace(t))
	create(t, site)
	eventually(t, "an Event object", func() error {
		found := &eventsv1.EventList{}
		if err := direct.List(t.Context(), found, client.InNamespace(site.Namespace)); err != nil {
			return err
		}
		for _, event := range found.Items {
			if event.Reason == "Adopted" && event.Regarding.Name == site.Name {
				return nil
			}
		}
		return fmt.Errorf("%d others", len(found.Items))
	})
}

func TestUsersMayWhatRolesSay(t *testing.T) {
	space := namespace(t)
	user, err := environment.AddUser(envtest.User{Name: "reader", Groups: []string{"readers"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := client.New(user.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.List(t.Context(), &SiteList{}, client.InNamespace(space)); !apierrors.IsForbidden(err) {
		t.Fatalf("got %v", err)
	}
	create(t, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: space},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{GroupVersion.Group}, Resources: []string{"sites"}, Verbs: []string{"list"}}},
	})
	create(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "reader", Namespace: space},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "reader"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: "readers"}},
	})
	eventually(t, "may list", func() error { return reader.List(t.Context(), &SiteList{}, client.InNamespace(space)) })
	if err := reader.Create(t.Context(), newSite(space)); !apierrors.IsForbidden(err) {
		t.Fatalf("got %v", err)
	}
}

func TestScaleSubresource(t *testing.T) {
	site := newSite(namespace(t))
	create(t, site)
	replicas := int32(3)
	eventually(t, "replicas", func() error {
		if err := direct.Get(t.Context(), client.ObjectKeyFromObject(site), site); err != nil {
			return err
		}
		site.Spec.Replicas = &replicas
		return direct.Update(t.Context(), site)
	})
	server := &appsv1.Deployment{}
	eventually(t, "the children follow", func() error {
		if err := direct.Get(t.Context(), client.ObjectKeyFromObject(site), server); err != nil {
			return err
		}
		if *server.Spec.Replicas != replicas {
			return fmt.Errorf("%d", *server.Spec.Replicas)
		}
		return nil
	})
}

func TestLeaderElection(t *testing.T) {
	space := namespace(t)
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	lease, renew, retry := 4*time.Second, 3*time.Second, 500*time.Millisecond
	start := func(name string) (elected <-chan struct{}, stop func()) {
		contender, err := newManager(name, ctrl.Options{
			LeaderElection: true, LeaderElectionID: "sites", LeaderElectionNamespace: space, LeaderElectionReleaseOnCancel: true,
			LeaseDuration: &lease, RenewDeadline: &renew, RetryPeriod: &retry,
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = contender.Start(ctx)
		}()
		return contender.Elected(), func() { cancel(); <-ended }
	}
	first, stopFirst := start("first")
	await(t, "the first", first)
	second, stopSecond := start("second")
	defer stopSecond()
	select {
	case <-second:
		t.Fatal("two lead at once")
	case <-time.After(3 * time.Second):
	}
	held, err := clients.CoordinationV1().Leases(space).Get(t.Context(), "sites", metav1.GetOptions{})
	if err != nil || held.Spec.HolderIdentity == nil || *held.Spec.HolderIdentity == "" {
		t.Fatalf("%v %v", held, err)
	}
	stopFirst()
	await(t, "the second", second)
}

func await(t *testing.T, what string, elected <-chan struct{}) {
	t.Helper()
	select {
	case <-elected:
	case <-time.After(deadline):
		t.Fatalf("%s does not lead", what)
	}
}
