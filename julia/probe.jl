# What jlsys needs to know of a Julia, as `key<TAB>value` lines on standard output.
#
#     julia --startup-file=no julia/probe.jl
#
# Run by hand it shows what jlsys sees. It loads no package (Libdl is in every stock image), so that it
# answers in the time that an empty Julia starts in, from Julia 1.5 on.

say(key, value) = println(key, '\t', value)

say("version", VERSION)
say("commit", Base.GIT_VERSION_INFO.commit)
say("executable", joinpath(Sys.BINDIR, Base.julia_exename()))
say("base-image", unsafe_string(Base.JLOptions().image_file))
say("stdlib", Sys.STDLIB)
say("os", Sys.KERNEL)
say("arch", Sys.ARCH)
say("word-size", Sys.WORD_SIZE)
isdefined(Sys, :sysimage_target) && say("image-target", Sys.sysimage_target())

# The libraries that an image is linked against: `libjulia`, and from 1.6 on `libjulia-internal`, but not the
# `libjulia-codegen` that is there from 1.8 on.
const Libdl = Base.loaded_modules[Base.PkgId(Base.UUID("8f399da3-3557-5675-b5ff-fb832c97cbdb"), "Libdl")]
for library in Libdl.dllist()
    occursin(r"^libjulia(-internal)?(-debug)?\.((\d+\.)*dylib|so|dll)", basename(library)) && say("library", library)
end

# From 1.9 on Julia ships a linker for its package images, and knows what to tell it on this system, which changes from
# version to version (base/linking.jl). The object and the image are named by jlsys.
if isdefined(Base, :Linking) && isdefined(Base.Linking, :link_image_cmd)
    for word in Base.Linking.link_image_cmd("{object}", "{image}")
        isempty(word) || say("link-command", word)
    end
end

# The depots behind the user's own: jlsys asks with JULIA_DEPOT_PATH unset.
for depot in DEPOT_PATH[2:end]
    say("bundled-depot", depot)
end

# Modules of the stock image: they are loaded before any package is.
for (id, mod) in sort!(collect(Base.loaded_modules); by = entry -> entry.first.name)
    id.uuid === nothing || say("base-module", string(id.uuid, ' ', id.name))
end

say("end", "of the answer")
