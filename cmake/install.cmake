# What is installed, and how others find it:
#
#   bin/reshard                 the command
#   lib/libreshard.a            the engine, core and parallel in one archive
#   include/reshard/            reshard.h and the headers that it includes, in core/ and parallel/
#   lib/cmake/reshard/          find_package(reshard), target reshard::reshard
#   lib/pkgconfig/reshard.pc    pkg-config reshard
#   libexec/reshard/            the programs that ranks run: the command's own
#   share/reshard/scenarios/    the suite and its models
#   share/doc/reshard/          the format, the licence and the rest
include(CMakePackageConfigHelpers)

set(RESHARD_INCLUDE_SUBDIR ${CMAKE_INSTALL_INCLUDEDIR}/reshard)
set(RESHARD_LIBEXEC_SUBDIR ${CMAKE_INSTALL_LIBEXECDIR}/reshard)
set(RESHARD_DATA_SUBDIR ${CMAKE_INSTALL_DATADIR}/reshard)
set(RESHARD_CMAKE_SUBDIR ${CMAKE_INSTALL_LIBDIR}/cmake/reshard)

# Exactly what reshard.h includes, and what that includes: tests/test_tidy.sh holds this list to it.
set(PUBLIC_HEADERS
    reshard.h
    core/box.h core/device.h core/dtype.h core/form.h core/formula.h core/groups.h core/layout.h core/manifest.h
    core/match.h core/mesh.h core/model.h core/notes.h core/optimizer.h core/rekey.h core/rename.h core/status.h
    core/store.h core/token.h
    parallel/environment.h parallel/exchange.h parallel/group.h parallel/host.h parallel/latest.h
    parallel/load.h parallel/proof.h parallel/report.h parallel/save.h parallel/state.h)

# The pkg-config module of the MPI that this build is against.
if(RESHARD_MPI STREQUAL "openmpi")
    set(RESHARD_MPI_MODULE ompi-c)
else()
    set(RESHARD_MPI_MODULE ${RESHARD_MPI})
endif()

# --- the library ---------------------------------------------------------------------------------
# One object made of those that the tests have run, not a second compilation of them. What is internal
# to the engine becomes local to it, so that a program may have a plan_build() of its own.
find_program(RESHARD_LD NAMES ld REQUIRED)
find_program(RESHARD_OBJCOPY NAMES objcopy REQUIRED)
set(RESHARD_OBJECT ${PROJECT_BINARY_DIR}/reshard-library.o)
add_custom_command(OUTPUT ${RESHARD_OBJECT}
    COMMAND ${RESHARD_LD} -r -o ${RESHARD_OBJECT} $<TARGET_OBJECTS:reshard-core>
            $<TARGET_OBJECTS:reshard-mpi>
    COMMAND ${RESHARD_OBJCOPY} --wildcard --keep-global-symbol=reshard_*
            --keep-global-symbol=store_* --keep-global-symbol=manifest_* ${RESHARD_OBJECT}
    DEPENDS reshard-core reshard-mpi $<TARGET_OBJECTS:reshard-core> $<TARGET_OBJECTS:reshard-mpi>
    COMMAND_EXPAND_LISTS VERBATIM COMMENT "Linking the library's one object")
add_library(reshard-library STATIC ${RESHARD_OBJECT})
set_target_properties(reshard-library PROPERTIES
    OUTPUT_NAME reshard EXPORT_NAME reshard LINKER_LANGUAGE C)
target_include_directories(reshard-library INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/engine>
    $<INSTALL_INTERFACE:${RESHARD_INCLUDE_SUBDIR}>)
target_link_libraries(reshard-library INTERFACE
    PkgConfig::MPI PkgConfig::HDF5 PkgConfig::ISAL PkgConfig::JANSSON Threads::Threads)
add_library(reshard::reshard ALIAS reshard-library)

install(TARGETS reshard-library EXPORT reshard ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
foreach(header ${PUBLIC_HEADERS})
    get_filename_component(folder ${header} DIRECTORY)
    install(FILES ${PROJECT_SOURCE_DIR}/engine/${header}
            DESTINATION ${RESHARD_INCLUDE_SUBDIR}/${folder})
endforeach()

install(EXPORT reshard FILE reshardTargets.cmake NAMESPACE reshard::
        DESTINATION ${RESHARD_CMAKE_SUBDIR})
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/reshardConfig.cmake.in
    ${PROJECT_BINARY_DIR}/cmake/reshardConfig.cmake INSTALL_DESTINATION ${RESHARD_CMAKE_SUBDIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/reshardConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cmake/reshardConfig.cmake
              ${PROJECT_BINARY_DIR}/cmake/reshardConfigVersion.cmake
        DESTINATION ${RESHARD_CMAKE_SUBDIR})

configure_file(${PROJECT_SOURCE_DIR}/reshard.pc.in ${PROJECT_BINARY_DIR}/reshard.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/reshard.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# --- the command ---------------------------------------------------------------------------------
install(TARGETS reshard RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS reshard-rank-mpi RUNTIME DESTINATION ${RESHARD_LIBEXEC_SUBDIR})
if(RESHARD_SIM)
    install(TARGETS reshard-rank-sim LIBRARY DESTINATION ${RESHARD_LIBEXEC_SUBDIR})
endif()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/scenarios DESTINATION ${RESHARD_DATA_SUBDIR}
        FILES_MATCHING PATTERN "*.yaml" PATTERN "*.json" PATTERN "*.safetensors" PATTERN "*.md")
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/FORMAT.md
              ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
