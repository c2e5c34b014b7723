/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded by tests/kubernetes/record.py from Debian's Kubernetes 1.20.2
 * (v0.0.0-master+faecb196815e2). */
#ifndef NODE_ANSWERS_H
#define NODE_ANSWERS_H

/* clang-format off */
#define NODE_UID "36279c0d-2f24-4da4-a57e-74eaf4cdce21"
#define NODE_VERSION "210"
#define NODE_FREE_STATUS 200
static const char node_free[] =
    "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-1\",\"uid\":\"36279c0d"
    "-2f24-4da4-a57e-74eaf4cdce21\",\"resourceVersion\":\"210\",\"creationTimestamp\":\"2026-11"
    "-28T00:32:59Z\"},\"spec\":{\"taints\":[{\"key\":\"node.kubernetes.io/not-ready\",\"effect\""
    ":\"NoSchedule\"}]},\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"no"
    "deInfo\":{\"machineID\":\"\",\"systemUUID\":\"\",\"bootID\":\"b00710\",\"kernelVersion\":\""
    "\",\"osImage\":\"\",\"containerRuntimeVersion\":\"\",\"kubeletVersion\":\"\",\"kubeProxyVe"
    "rsion\":\"\",\"operatingSystem\":\"\",\"architecture\":\"\"}}}";
#define NODE_MARKED_STATUS 200
static const char node_marked[] =
    "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-1\",\"uid\":\"36279c0d"
    "-2f24-4da4-a57e-74eaf4cdce21\",\"resourceVersion\":\"211\",\"creationTimestamp\":\"2026-11"
    "-28T00:32:59Z\",\"annotations\":{\"squall.dev/cordoned-by\":\"ours\"}},\"spec\":{\"unsched"
    "ulable\":true,\"taints\":[{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedul"
    "e\"}]},\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"nodeInfo\":{\""
    "machineID\":\"\",\"systemUUID\":\"\",\"bootID\":\"b00710\",\"kernelVersion\":\"\",\"osImag"
    "e\":\"\",\"containerRuntimeVersion\":\"\",\"kubeletVersion\":\"\",\"kubeProxyVersion\":\"\""
    ",\"operatingSystem\":\"\",\"architecture\":\"\"}}}";
#define NODE_OURS_STATUS 200
static const char node_ours[] =
    "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-1\",\"uid\":\"36279c0d"
    "-2f24-4da4-a57e-74eaf4cdce21\",\"resourceVersion\":\"211\",\"creationTimestamp\":\"2026-11"
    "-28T00:32:59Z\",\"annotations\":{\"squall.dev/cordoned-by\":\"ours\"}},\"spec\":{\"unsched"
    "ulable\":true,\"taints\":[{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedul"
    "e\"}]},\"status\":{\"daemonEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"nodeInfo\":{\""
    "machineID\":\"\",\"systemUUID\":\"\",\"bootID\":\"b00710\",\"kernelVersion\":\"\",\"osImag"
    "e\":\"\",\"containerRuntimeVersion\":\"\",\"kubeletVersion\":\"\",\"kubeProxyVersion\":\"\""
    ",\"operatingSystem\":\"\",\"architecture\":\"\"}}}";
#define NODE_CONFLICT_STATUS 409
static const char node_conflict[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"Operation cannot be fulfilled on nodes \\\"n-1\\\": the object has been modified; pl"
    "ease apply your changes to the latest version and try again\",\"reason\":\"Conflict\",\"de"
    "tails\":{\"name\":\"n-1\",\"kind\":\"nodes\"},\"code\":409}";
#define NODE_OTHER_UID_STATUS 422
static const char node_other_uid[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"Node \\\"n-1\\\" is invalid: metadata.uid: Invalid value: \\\"other\\\": field is im"
    "mutable\",\"reason\":\"Invalid\",\"details\":{\"name\":\"n-1\",\"kind\":\"Node\",\"causes\""
    ":[{\"reason\":\"FieldValueInvalid\",\"message\":\"Invalid value: \\\"other\\\": field is i"
    "mmutable\",\"field\":\"metadata.uid\"},{\"reason\":\"FieldValueInvalid\",\"message\":\"Inv"
    "alid value: \\\"other\\\": field is immutable\",\"field\":\"metadata.uid\"}]},\"code\":422"
    "}";
#define NODE_OPENED_STATUS 200
static const char node_opened[] =
    "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-1\",\"uid\":\"36279c0d"
    "-2f24-4da4-a57e-74eaf4cdce21\",\"resourceVersion\":\"212\",\"creationTimestamp\":\"2026-11"
    "-28T00:32:59Z\",\"annotations\":{\"squall.dev/cordoned-by\":\"ours\"}},\"spec\":{\"taints\""
    ":[{\"key\":\"node.kubernetes.io/not-ready\",\"effect\":\"NoSchedule\"}]},\"status\":{\"dae"
    "monEndpoints\":{\"kubeletEndpoint\":{\"Port\":0}},\"nodeInfo\":{\"machineID\":\"\",\"syste"
    "mUUID\":\"\",\"bootID\":\"b00710\",\"kernelVersion\":\"\",\"osImage\":\"\",\"containerRunt"
    "imeVersion\":\"\",\"kubeletVersion\":\"\",\"kubeProxyVersion\":\"\",\"operatingSystem\":\""
    "\",\"architecture\":\"\"}}}";
#define NODE_CORDONED_STATUS 200
static const char node_cordoned[] =
    "{\"kind\":\"Node\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"n-1\",\"uid\":\"36279c0d"
    "-2f24-4da4-a57e-74eaf4cdce21\",\"resourceVersion\":\"213\",\"creationTimestamp\":\"2026-11"
    "-28T00:32:59Z\"},\"spec\":{\"unschedulable\":true,\"taints\":[{\"key\":\"node.kubernetes.i"
    "o/not-ready\",\"effect\":\"NoSchedule\"}]},\"status\":{\"daemonEndpoints\":{\"kubeletEndpo"
    "int\":{\"Port\":0}},\"nodeInfo\":{\"machineID\":\"\",\"systemUUID\":\"\",\"bootID\":\"b007"
    "10\",\"kernelVersion\":\"\",\"osImage\":\"\",\"containerRuntimeVersion\":\"\",\"kubeletVer"
    "sion\":\"\",\"kubeProxyVersion\":\"\",\"operatingSystem\":\"\",\"architecture\":\"\"}}}";
#define NODE_MISSING_STATUS 404
static const char node_missing[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"nodes \\\"none\\\" not found\",\"reason\":\"NotFound\",\"details\":{\"name\":\"none\""
    ",\"kind\":\"nodes\"},\"code\":404}";
#define NODE_FORBIDDEN_STATUS 403
static const char node_forbidden[] =
    "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\"messag"
    "e\":\"nodes \\\"n-1\\\" is forbidden: User \\\"nobody\\\" cannot get resource \\\"nodes\\\""
    " in API group \\\"\\\" at the cluster scope\",\"reason\":\"Forbidden\",\"details\":{\"name"
    "\":\"n-1\",\"kind\":\"nodes\"},\"code\":403}";
#define NODE_PODS_1_STATUS 200
static const char node_pods_1[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"232\",\"co"
    "ntinue\":\"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjMyLCJzdGFydCI6InNob3AvbGVhdmluZ1x1MDAwMCJ"
    "9\"},\"items\":[{\"metadata\":{\"name\":\"alone\",\"namespace\":\"shop\",\"uid\":\"9609e9d"
    "0-6e0f-4459-995b-2e6de60c2086\",\"resourceVersion\":\"232\",\"creationTimestamp\":\"2026-1"
    "1-28T00:33:00Z\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":"
    "{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File"
    "\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriodS"
    "econds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"n-1\",\"securityContext\":{},\"s"
    "chedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-re"
    "ady\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\""
    ":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tol"
    "erationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"P"
    "reemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready"
    "\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\""
    "BestEffort\"}},{\"metadata\":{\"name\":\"daemon\",\"namespace\":\"shop\",\"uid\":\"9fc671c"
    "7-1920-4826-8ef2-187e13894f60\",\"resourceVersion\":\"220\",\"creationTimestamp\":\"2026-1"
    "1-28T00:32:59Z\",\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"DaemonSet\",\""
    "name\":\"theirs\",\"uid\":\"0\",\"controller\":true}]},\"spec\":{\"containers\":[{\"name\""
    ":\"c\",\"image\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/termination-log\""
    ",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":"
    "\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\""
    ":\"n-1\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolerations\":[{"
    "\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"NoExecute\","
    "\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operator\":\"Exis"
    "ts\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enableServiceLi"
    "nks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":\"Running\""
    ",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTran"
    "sitionTime\":null}],\"qosClass\":\"BestEffort\"}},{\"metadata\":{\"name\":\"leaving\",\"na"
    "mespace\":\"shop\",\"uid\":\"54da7612-03e5-4bcc-89e7-14dec64d8c9d\",\"resourceVersion\":\""
    "228\",\"creationTimestamp\":\"2026-11-28T00:33:00Z\",\"deletionTimestamp\":\"2026-11-28T00"
    ":33:30Z\",\"deletionGracePeriodSeconds\":30,\"ownerReferences\":[{\"apiVersion\":\"apps/v1"
    "\",\"kind\":\"ReplicaSet\",\"name\":\"theirs\",\"uid\":\"0\",\"controller\":true}]},\"spec"
    "\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"terminationMessageP"
    "ath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\""
    "Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\""
    ":\"ClusterFirst\",\"nodeName\":\"n-1\",\"securityContext\":{},\"schedulerName\":\"default-"
    "scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exis"
    "ts\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unr"
    "eachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\""
    "priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\""
    "status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\""
    "lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\"BestEffort\"}}]}";
#define NODE_PODS_2_STATUS 200
static const char node_pods_2[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"232\",\"co"
    "ntinue\":\"eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjMyLCJzdGFydCI6InNob3Avc2NyYXRjaFx1MDAwMCJ"
    "9\"},\"items\":[{\"metadata\":{\"name\":\"mirror\",\"namespace\":\"shop\",\"uid\":\"61a528"
    "f3-0a2f-457e-83fc-6423c2f2cdae\",\"resourceVersion\":\"222\",\"creationTimestamp\":\"2026-"
    "11-28T00:32:59Z\",\"annotations\":{\"kubernetes.io/config.mirror\":\"x\"}},\"spec\":{\"con"
    "tainers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/"
    "dev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\""
    "}],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"Clust"
    "erFirst\",\"nodeName\":\"n-1\",\"securityContext\":{},\"schedulerName\":\"default-schedule"
    "r\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"e"
    "ffect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable"
    "\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority"
    "\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\""
    ":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProb"
    "eTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\"BestEffort\"}},{\"metadata\":{\""
    "name\":\"over\",\"namespace\":\"shop\",\"uid\":\"2e34c84b-99e3-4be8-a9a3-67419a24e3ff\",\""
    "resourceVersion\":\"225\",\"creationTimestamp\":\"2026-11-28T00:32:59Z\"},\"spec\":{\"cont"
    "ainers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/d"
    "ev/termination-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}"
    "],\"restartPolicy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"Cluste"
    "rFirst\",\"nodeName\":\"n-1\",\"securityContext\":{},\"schedulerName\":\"default-scheduler"
    "\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"ef"
    "fect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\""
    ",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\""
    ":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{"
    "\"phase\":\"Failed\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTi"
    "me\":null,\"lastTransitionTime\":null}],\"qosClass\":\"BestEffort\"}},{\"metadata\":{\"nam"
    "e\":\"scratch\",\"namespace\":\"shop\",\"uid\":\"6bb50000-605d-4e6a-9317-fdc0b12bd1c8\",\""
    "resourceVersion\":\"230\",\"creationTimestamp\":\"2026-11-28T00:33:00Z\",\"ownerReferences"
    "\":[{\"apiVersion\":\"apps/v1\",\"kind\":\"Job\",\"name\":\"theirs\",\"uid\":\"0\",\"contr"
    "oller\":true}]},\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}],\"containers\":[{"
    "\"name\":\"c\",\"image\":\"x\",\"resources\":{},\"terminationMessagePath\":\"/dev/terminat"
    "ion-log\",\"terminationMessagePolicy\":\"File\",\"imagePullPolicy\":\"Always\"}],\"restart"
    "Policy\":\"Always\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\",\""
    "nodeName\":\"n-1\",\"securityContext\":{},\"schedulerName\":\"default-scheduler\",\"tolera"
    "tions\":[{\"key\":\"node.kubernetes.io/not-ready\",\"operator\":\"Exists\",\"effect\":\"No"
    "Execute\",\"tolerationSeconds\":300},{\"key\":\"node.kubernetes.io/unreachable\",\"operato"
    "r\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0,\"enabl"
    "eServiceLinks\":true,\"preemptionPolicy\":\"PreemptLowerPriority\"},\"status\":{\"phase\":"
    "\"Running\",\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\",\"lastProbeTime\":null"
    ",\"lastTransitionTime\":null}],\"qosClass\":\"BestEffort\"}}]}";
#define NODE_PODS_3_STATUS 200
static const char node_pods_3[] =
    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"232\"},\"i"
    "tems\":[{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"uid\":\"e00f0fc0-9a69-4"
    "ceb-a497-c462ed4a7c5b\",\"resourceVersion\":\"218\",\"creationTimestamp\":\"2026-11-28T00:"
    "32:59Z\",\"labels\":{\"app\":\"web\"},\"ownerReferences\":[{\"apiVersion\":\"apps/v1\",\"k"
    "ind\":\"ReplicaSet\",\"name\":\"web\",\"uid\":\"d27c6b63-f98b-43b8-8710-0fef711f1fbd\",\"c"
    "ontroller\":true}]},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x\",\"resources\""
    ":{},\"terminationMessagePath\":\"/dev/termination-log\",\"terminationMessagePolicy\":\"Fil"
    "e\",\"imagePullPolicy\":\"Always\"}],\"restartPolicy\":\"Always\",\"terminationGracePeriod"
    "Seconds\":30,\"dnsPolicy\":\"ClusterFirst\",\"nodeName\":\"n-1\",\"securityContext\":{},\""
    "schedulerName\":\"default-scheduler\",\"tolerations\":[{\"key\":\"node.kubernetes.io/not-r"
    "eady\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tolerationSeconds\":300},{\"key\""
    ":\"node.kubernetes.io/unreachable\",\"operator\":\"Exists\",\"effect\":\"NoExecute\",\"tol"
    "erationSeconds\":300}],\"priority\":0,\"enableServiceLinks\":true,\"preemptionPolicy\":\"P"
    "reemptLowerPriority\"},\"status\":{\"phase\":\"Running\",\"conditions\":[{\"type\":\"Ready"
    "\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":null}],\"qosClass\":\""
    "BestEffort\"}}]}";
/* clang-format on */

#endif
