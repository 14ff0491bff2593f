package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An aptState is apt with a state of its own in dir: the host's sources and
// proxies, and nothing else of the host's. It believes that nothing is
// installed, so that what it resolves is complete and the same everywhere.
type aptState struct {
	dir     string
	updated bool // the lists are of this run
}

// preferred makes backports' QEMU the choice, and nothing else of backports: the
// stable one's icount mode stops when the second CPU comes up.
const preferred = `Package: src:qemu src:seabios src:ipxe
Pin: release n=` + release + `-backports
Pin-Priority: 990
`

// prepare writes the configuration, and fetches the lists where there are none.
func (a *aptState) prepare(ctx context.Context) error {
	for _, d := range []string{"lists/partial", "cache/archives/partial", "log"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	host, err := hostSources("/etc/apt")
	if err != nil {
		return err
	}
	sources, err := guestSources(host)
	if err != nil {
		return err
	}
	dump, err := exec.CommandContext(ctx, "apt-config", "dump").Output()
	if err != nil {
		return fmt.Errorf("apt-config dump: %w", err)
	}
	// A URI or a proxy can hold a password: for the owner's eyes.
	for name, text := range map[string]string{
		"debian.sources": sources, "preferences": preferred, "status": "", "apt.conf": a.config(string(dump)),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	if lists, _ := filepath.Glob(filepath.Join(a.dir, "lists", "*InRelease")); len(lists) > 0 {
		return nil
	}
	return a.update(ctx)
}

// config returns apt.conf: where everything is, and of the host's own settings
// (as apt-config dumps them) how it reaches the archives.
func (a *aptState) config(hostDump string) string {
	var b strings.Builder
	for _, line := range strings.Split(hostDump, "\n") {
		if strings.HasPrefix(line, "Acquire::http") || strings.HasPrefix(line, "Acquire::Retries") {
			b.WriteString(line + "\n")
		}
	}
	for _, s := range [][2]string{
		{"Dir::Etc::main", "/dev/null"}, {"Dir::Etc::parts", "/dev/null"},
		{"Dir::Etc::sourcelist", a.dir + "/debian.sources"}, {"Dir::Etc::sourceparts", "/dev/null"},
		{"Dir::Etc::preferences", a.dir + "/preferences"}, {"Dir::Etc::preferencesparts", "/dev/null"},
		{"Dir::State::lists", a.dir + "/lists"}, {"Dir::State::status", a.dir + "/status"},
		{"Dir::State::extended_states", a.dir + "/extended_states"},
		{"Dir::Cache", a.dir + "/cache"}, {"Dir::Log", a.dir + "/log"},
		{"APT::Architecture", "amd64"}, {"APT::Install-Recommends", "false"},
		{"Acquire::Languages", "none"}, {"Acquire::GzipIndexes", "true"},
		{"Debug::NoLocking", "true"}, // the cache is locked as a whole
	} {
		fmt.Fprintf(&b, "%s %q;\n", s[0], s[1])
	}
	b.WriteString("APT::Architectures { \"amd64\"; \"arm64\"; };\n")
	if os.Getuid() == 0 {
		// Its own user could not enter a cache below root's home.
		b.WriteString("APT::Sandbox::User \"root\";\n")
	}
	return b.String()
}

func (a *aptState) update(ctx context.Context) error {
	a.updated = true
	_, err := a.run(ctx, a.dir, "apt-get", "-q", "-o", "APT::Update::Error-Mode=any", "update")
	return err
}

// run runs one of apt's programs in a directory and returns its output.
func (a *aptState) run(ctx context.Context, dir, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APT_CONFIG="+a.dir+"/apt.conf", "LC_ALL=C")
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", program, strings.Join(args, " "), err, strings.TrimSpace(messages.String()))
	}
	return out.String(), nil
}

// candidate returns name:arch=version, which apt would install now.
func (a *aptState) candidate(ctx context.Context, name, arch string) (string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "policy", name+":"+arch)
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(out, "\n") {
		if version, ok := strings.CutPrefix(strings.TrimSpace(line), "Candidate: "); ok && version != "(none)" {
			return name + ":" + arch + "=" + version, nil
		}
	}
	return "", fmt.Errorf("apt knows no package %s:%s in %s", name, arch, release)
}

// depends returns the names of the packages that one depends on directly.
func (a *aptState) depends(ctx context.Context, name, arch string) ([]string, error) {
	out, err := a.run(ctx, a.dir, "apt-cache", "depends", name+":"+arch)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, line := range strings.Split(out, "\n") {
		if d, ok := strings.CutPrefix(line, "  Depends: "); ok {
			d, _, _ = strings.Cut(d, ":")
			names = append(names, d)
		}
	}
	return names, nil
}

// closure returns what an installation of packages on an empty machine would
// unpack, as name:arch=version.
func (a *aptState) closure(ctx context.Context, names ...string) ([]string, error) {
	out, err := a.run(ctx, a.dir, "apt-get", append([]string{"-s", "install"}, names...)...)
	if err != nil {
		return nil, err
	}
	return installed(out), nil
}

// installed reads the lines of apt-get -s:
//
//	Inst libc6 (2.36-9+deb12u14 Debian:12.15/oldstable [amd64])
func installed(out string) []string {
	var list []string
	for _, line := range strings.Split(out, "\n") {
		words := strings.Fields(line)
		if len(words) < 4 || words[0] != "Inst" || !strings.HasPrefix(words[2], "(") {
			continue
		}
		name := words[1]
		for _, w := range words[3:] {
			// A package for all architectures goes by its name alone.
			if arch, ok := strings.CutSuffix(w, "])"); ok && arch != "[all" {
				name += ":" + strings.TrimPrefix(arch, "[")
			}
		}
		list = append(list, name+"="+words[2][1:])
	}
	return list
}

// download fetches packages into a directory; apt checks them against the
// signed lists.
func (a *aptState) download(ctx context.Context, dir string, packages []string) error {
	_, err := a.run(ctx, dir, "apt-get", append([]string{"-q", "download"}, packages...)...)
	return err
}
