#!/bin/busybox sh
# The first process of a guest: sets the machine up, runs the tests in
# /tests/list and powers off, or gives a person a shell. Lines that begin with
# "testbed:" are for the harness.
/bin/busybox mkdir -p /proc /sys /dev /bin /tmp
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TERM=vt100
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tracefs tracefs /sys/kernel/tracing
mount -t securityfs securityfs /sys/kernel/security
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /dev/pts /dev/shm /root
mount -t devpts devpts /dev/pts
ip link set lo up
read -r name < /etc/hostname
hostname "$name"
export TESTBED_GUEST="$name" CI=true # what can run must run
echo
echo "testbed: up $(cut -d' ' -f1 /proc/uptime)"

# Each line of /mod/list: a module and its parameters.
while read -r module parameters; do
	# shellcheck disable=SC2086 # several words
	insmod "/mod/$module.ko" $parameters || echo "testbed: module $module"
done < /mod/list
echo "testbed: tests begin" > /dev/kmsg
# Messages between the lines of a test's output would spoil both; dmesg has them.
echo 1 > /proc/sys/kernel/printk

if [ ! -f /tests/list ]; then
	echo "energyprof, workload and (in icx-6.1) perf are in /bin; 'exit' or Ctrl-A X ends this machine"
	cd /root && setsid cttyhack sh
	poweroff -f
fi

# Each line of /tests/list: a package's directory, its test binary, and arguments.
failed=0
while read -r dir binary arguments; do
	echo "testbed: begin $dir"
	cd "/tests/$dir" && eval "./$binary -test.v=test2json $arguments" < /dev/null 2>&1
	code=$?
	echo
	echo "testbed: end $dir $code"
	[ "$code" = 0 ] || failed=1
done < /tests/list
trouble='WARNING:|BUG:|Oops:|Call Trace:'
if [ "$failed" = 1 ] || dmesg | grep -qE "$trouble"; then
	echo "testbed: dmesg"
	dmesg | sed '1,/testbed: tests begin/d' | tail -n 100
	echo "testbed: end-dmesg"
fi
dmesg | grep -E "$trouble" | sed 's/^/testbed: kernel /'
echo "testbed: done $(cut -d' ' -f1 /proc/uptime)"
poweroff -f
