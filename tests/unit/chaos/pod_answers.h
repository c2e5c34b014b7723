/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded by tests/kubernetes/record.py from Debian's Kubernetes 1.20.2
 * (v0.0.0-master+faecb196815e2). */
#ifndef POD_ANSWERS_H
#define POD_ANSWERS_H

/* clang-format off */
#define POD_UID "80a68366-e09f-4ed6-bf04-7f90f786a4ee"
#define POD_OWNER_UID "15147e81-b469-4293-ad72-30a4fa922415"
#define POD_READY_STATUS 200
static const char pod_ready[] =
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-1\",\"namespace\":\"s"
    "hop\",\"uid\":\"80a68366-e09f-4ed6-bf04-7f90f786a4ee\",\"resourceVersion\":\"203\",\"creat"
    "ionTimestamp\":\"2026-11-27T11:47:13Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":["
    "{\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b4"
    "69-4293-ad72-30a4fa922415\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c"
    "\",\"image\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\""
    "terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"A"
    "lways\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\""
    "node-1\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{"
    "\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
    "\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exis"
    "ts\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLi"
    "nks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\""
    ",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTran"
    "sitionTime\":null}],\"qosClass\":\"BestEffort\"}}";
#define POD_ALONE_STATUS 200
static const char pod_alone[] =
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"alone\",\"namespace\":\"s"
    "hop\",\"uid\":\"a2f9b373-7ec1-4512-9327-113d843a4035\",\"resourceVersion\":\"208\",\"creat"
    "ionTimestamp\":\"2026-11-27T11:47:13Z\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image"
    "\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminatio"
    "nMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\""
    "terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\","
    "\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\""
    "node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerati"
    "onSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"eff"
    "ect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true"
    ",\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Pending\",\"qosCla"
    "ss\":\"BestEffort\"}}";
#define POD_LIST_STATUS 200
static const char pod_list[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"210\"},\"i"
    "tems\":[{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"80a68366-e09f-4"
    "ed6-bf04-7f90f786a4ee\",\"resourceVersion\":\"203\",\"creationTimestamp\":\"2026-11-27T11:"
    "47:13Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"k"
    "ind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-ad72-30a4fa922415\",\"c"
    "ontroller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\""
    ":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"Fil"
    "e\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriod"
    "Seconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\",\"securityContext\":{}"
    ",\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/no"
    "t-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"k"
    "ey\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\""
    "tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":"
    "\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Re"
    "ady\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\""
    ":\"BestEffort\"}},{\"metadata\":{\"name\":\"web-2\",\"namespace\":\"shop\",\"uid\":\"8adc1"
    "db0-569d-4f15-9a2c-82a723562d46\",\"resourceVersion\":\"207\",\"creationTimestamp\":\"2026"
    "-11-27T11:47:13Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"app"
    "s/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-ad72-30a4fa92"
    "2415\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\""
    "resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePol"
    "icy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"termination"
    "GracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\",\"securityC"
    "ontext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kuber"
    "netes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\""
    ":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoE"
    "xecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preempti"
    "onPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\""
    "type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],"
    "\"qosClass\":\"BestEffort\"}}]}";
#define POD_PAGE_STATUS 200
static const char pod_page[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"210\",\"co"
    "ntinue\":\"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjEwLCJzdGFydCI6IndlYi0xXHUwMDAwIn0\",\"rem"
    "ainingItemCount\":1},\"items\":[{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\""
    "uid\":\"80a68366-e09f-4ed6-bf04-7f90f786a4ee\",\"resourceVersion\":\"203\",\"creationTimes"
    "tamp\":\"2026-11-27T11:47:13Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVe"
    "rsion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-"
    "ad72-30a4fa922415\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"ima"
    "ge\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminat"
    "ionMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\","
    "\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\""
    ",\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":"
    "\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolera"
    "tionSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"e"
    "ffect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":tr"
    "ue,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"cond"
    "itions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionT"
    "ime\":null}],\"qosClass\":\"BestEffort\"}}]}";
#define POD_VERSIONS_STATUS 200
static const char pod_versions[] =
    "{\"kind\":\"APIResourceList\",\"groupVersion\":\"v1\",\"resources\":[{\"name\":\"pods\",\""
    "singularName\":\"\",\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"create\",\"delete\","
    "\"deletecollection\",\"get\",\"list\",\"patch\",\"update\",\"watch\"],\"shortNames\":[\"po"
    "\"],\"categories\":[\"all\"],\"storageVersionHash\":\"xPOwRZ+Yhw8=\"},{\"name\":\"pods/att"
    "ach\",\"singularName\":\"\",\"namespaced\":true,\"kind\":\"PodAttachOptions\",\"verbs\":[\""
    "create\",\"get\"]},{\"name\":\"pods/binding\",\"singularName\":\"\",\"namespaced\":true,\""
    "kind\":\"Binding\",\"verbs\":[\"create\"]},{\"name\":\"pods/eviction\",\"singularName\":\""
    "\",\"namespaced\":true,\"group\":\"policy\",\"version\":\"v1beta1\",\"kind\":\"Eviction\","
    "\"verbs\":[\"create\"]},{\"name\":\"pods/exec\",\"singularName\":\"\",\"namespaced\":true,"
    "\"kind\":\"PodExecOptions\",\"verbs\":[\"create\",\"get\"]},{\"name\":\"pods/log\",\"singu"
    "larName\":\"\",\"namespaced\":true,\"kind\":\"Pod\",\"verbs\":[\"get\"]},{\"name\":\"pods/"
    "portforward\",\"singularName\":\"\",\"namespaced\":true,\"kind\":\"PodPortForwardOptions\""
    ",\"verbs\":[\"create\",\"get\"]},{\"name\":\"pods/proxy\",\"singularName\":\"\",\"namespac"
    "ed\":true,\"kind\":\"PodProxyOptions\",\"verbs\":[\"create\",\"delete\",\"get\",\"patch\","
    "\"update\"]},{\"name\":\"pods/status\",\"singularName\":\"\",\"namespaced\":true,\"kind\":"
    "\"Pod\",\"verbs\":[\"get\",\"patch\",\"update\"]}]}";
#define POD_MISSING_STATUS 404
static const char pod_missing[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"pods \\\"none\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"none\""
    ",\"kind\":\"pods\"},\"code\":404}";
#define POD_DELETE_MISSING_STATUS 404
static const char pod_delete_missing[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"pods \\\"none\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"none\""
    ",\"kind\":\"pods\"},\"code\":404}";
#define POD_DELETE_OTHER_STATUS 409
static const char pod_delete_other[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"Operation cannot be fulfilled on Pod \\\"web-1\\\": the UID in the precondition (000"
    "00000-0000-0000-0000-000000000000) does not match the UID in record (80a68366-e09f-4ed6-bf"
    "04-7f90f786a4ee). The object might have been deleted and then recreated\",\"reason\":\"Con"
    "flict\",\"details\":{\"name\":\"web-1\",\"kind\":\"Pod\"},\"code\":409}";
#define POD_EVICT_OTHER_STATUS 409
static const char pod_evict_other[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"Operation cannot be fulfilled on Pod \\\"web-1\\\": the UID in the precondition (000"
    "00000-0000-0000-0000-000000000000) does not match the UID in record (80a68366-e09f-4ed6-bf"
    "04-7f90f786a4ee). The object might have been deleted and then recreated\",\"reason\":\"Con"
    "flict\",\"details\":{\"name\":\"web-1\",\"kind\":\"Pod\"},\"code\":409}";
#define POD_BUDGET_STATUS 429
static const char pod_budget[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"Cannot evict pod as it would violate the pod's disruption budget.\",\"reason\":\"Too"
    "ManyRequests\",\"details\":{\"causes\":[{\"reason\":\"DisruptionBudget\",\"message\":\"The"
    " disruption budget keep needs 2 healthy pods and has 2 currently\"}]},\"code\":429}";
#define POD_EVICTED_STATUS 201
static const char pod_evicted[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Success\",\"code\""
    ":201}";
#define POD_DELETED_STATUS 200
static const char pod_deleted[] =
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-2\",\"namespace\":\"s"
    "hop\",\"uid\":\"8adc1db0-569d-4f15-9a2c-82a723562d46\",\"resourceVersion\":\"215\",\"creat"
    "ionTimestamp\":\"2026-11-27T11:47:13Z\",\"deletionTimestamp\":\"2026-11-27T11:47:20Z\",\"d"
    "eletionGracePeriodSeconds\":7,\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVers"
    "ion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-ad"
    "72-30a4fa922415\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image"
    "\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminatio"
    "nMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\""
    "terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\","
    "\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\""
    "node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerati"
    "onSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"eff"
    "ect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true"
    ",\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"condit"
    "ions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTim"
    "e\":null}],\"qosClass\":\"BestEffort\"}}";
#define POD_DELETING_STATUS 200
static const char pod_deleting[] =
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web-1\",\"namespace\":\"s"
    "hop\",\"uid\":\"80a68366-e09f-4ed6-bf04-7f90f786a4ee\",\"resourceVersion\":\"214\",\"creat"
    "ionTimestamp\":\"2026-11-27T11:47:13Z\",\"deletionTimestamp\":\"2026-11-27T11:47:43Z\",\"d"
    "eletionGracePeriodSeconds\":30,\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVer"
    "sion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-a"
    "d72-30a4fa922415\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"imag"
    "e\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminati"
    "onMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\""
    "terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\","
    "\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\""
    "node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerati"
    "onSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"eff"
    "ect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true"
    ",\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"condit"
    "ions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTim"
    "e\":null}],\"qosClass\":\"BestEffort\"}}";
#define POD_LIST_DELETING_STATUS 200
static const char pod_list_deleting[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"215\"},\"i"
    "tems\":[{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"80a68366-e09f-4"
    "ed6-bf04-7f90f786a4ee\",\"resourceVersion\":\"214\",\"creationTimestamp\":\"2026-11-27T11:"
    "47:13Z\",\"deletionTimestamp\":\"2026-11-27T11:47:43Z\",\"deletionGracePeriodSeconds\":30,"
    "\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"R"
    "eplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-ad72-30a4fa922415\",\"controller"
    "\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"te"
    "rminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"im"
    "agePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\""
    ":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\",\"securityContext\":{},\"schedu"
    "lerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\""
    ",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":\"no"
    "de.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerati"
    "onSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"Preemp"
    "tLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\""
    "status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\"Best"
    "Effort\"}},{\"metadata\":{\"name\":\"web-2\",\"namespace\":\"shop\",\"uid\":\"8adc1db0-569"
    "d-4f15-9a2c-82a723562d46\",\"resourceVersion\":\"215\",\"creationTimestamp\":\"2026-11-27T"
    "11:47:13Z\",\"deletionTimestamp\":\"2026-11-27T11:47:20Z\",\"deletionGracePeriodSeconds\":"
    "7,\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\""
    "ReplicaSet\",\"name\":\"web\",\"uid\":\"15147e81-b469-4293-ad72-30a4fa922415\",\"controlle"
    "r\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"t"
    "erminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"i"
    "magePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds"
    "\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"node-1\",\"securityContext\":{},\"sche"
    "dulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready"
    "\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":\""
    "node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolera"
    "tionSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"Pree"
    "mptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\","
    "\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\"Be"
    "stEffort\"}}]}";
/* clang-format on */

#endif
